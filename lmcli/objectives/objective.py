"""What the loop, the planner and the validation ask of an objective."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from lmcli.models.model import Kind
from lmcli.objectives.batch import IGNORED, Batch, Sums
from lmcli.tokens.shards import TokenStream
from lmcli.tokens.window_batch import WindowBatch


class Objective(Protocol):
    """The loss of a step is the sum over its terms of weight x mean over the targets of the term in the whole step."""

    needs: tuple[Kind, ...]
    """The kinds of model that it can train."""
    heads: frozenset[str]
    """The output layers that a model must have, as `Model.heads` names them."""
    weights: Mapping[str, float]
    """Term of the loss -> its factor."""

    def losses(self, model: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """For each term that the batch has, the sum of nats over its targets (float32, differentiable)."""
        ...

    def evaluate(self, model: nn.Module, batch: Batch) -> Sums:
        """The same without gradients and without what changes the loss in training only."""
        ...


class WindowObjective(Objective, Protocol):
    """An objective that is trained on windows of running text."""

    covers_text: bool
    """Whether the targets of its validation are the whole text, so that bits per byte mean something."""
    looks_right: bool
    """Whether it has positions see what stands to their right, which a model that reads one way can't do."""

    def batches(self, windows: WindowBatch, micro_rows: int) -> list[Batch]:
        """The windows of one step, `micro_rows` at once: a pure function of them, however they are cut."""
        ...

    def validation(self, stream: TokenStream, context: int, rows: int) -> Iterator[Batch]:
        """A whole side, the same each time."""
        ...


class OverWindows:
    """`batches` and `validation` of an objective with `batch(windows)`."""

    covers_text = False
    heads = frozenset({"tokens"})
    looks_right = True

    def batch(self, windows: WindowBatch) -> Batch:
        raise NotImplementedError

    def batches(self, windows: WindowBatch, micro_rows: int) -> list[Batch]:
        return [self.batch(part) for part in windows.cut(micro_rows)]

    def validation(self, stream: TokenStream, context: int, rows: int) -> Iterator[Batch]:
        for windows in WindowBatch.of_side(stream, context, rows):
            yield self.batch(windows)


def summed(losses: Mapping[str, Tensor], batch: Batch) -> Sums:
    """The losses of a batch as sums."""
    return Sums({term: nats.item() for term, nats in losses.items()}, {term: batch.counts[term] for term in losses})


def targeted(hidden_btd: Tensor, targets_bt: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden states (N, D) and targets (N,) of the positions that have one: the others never meet the head."""
    hidden, targets = hidden_btd.flatten(0, 1), targets_bt.flatten()
    wanted = torch.nonzero(targets != IGNORED).squeeze(1)
    if len(wanted) == len(targets):
        return hidden, targets
    return hidden.index_select(0, wanted), targets.index_select(0, wanted)
