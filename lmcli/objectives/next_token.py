"""The loss of every objective that predicts the next token from those before it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from lmcli.models.model import Kind, Model
from lmcli.objectives import cross_entropy
from lmcli.objectives.batch import Batch, Sums, make_batch
from lmcli.objectives.objective import targeted
from lmcli.tokens.shards import TokenStream
from lmcli.tokens.window_batch import WindowBatch
from lmcli.tokens.windows import evaluation_windows


class NextToken:
    """Cross-entropy of a batch's targets; `end_id` is the one target that stands for no text.

    An encoder learns it too, seeing what lies to the left only.
    `label_smoothing` changes the loss to train on, never that of `evaluate`.
    """

    needs: tuple[Kind, ...] = ("decoder", "encoder")
    heads = frozenset({"tokens"})
    looks_right = False
    term = "causal"

    def __init__(self, end_id: int, label_smoothing: float = 0.0) -> None:
        self.end_id = end_id
        self.label_smoothing = label_smoothing
        self.weights: Mapping[str, float] = {self.term: 1.0}

    def losses(self, model: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        """Sum of nats over the batch's targets."""
        own = cast(Model, model)
        states, targets = self._states(own, batch)
        return {self.term: cross_entropy.summed(states, own.output, targets, self.label_smoothing)}

    def evaluate(self, model: nn.Module, batch: Batch) -> Sums:
        """Cross-entropy of the batch as exact sums, with what predicts text apart from what predicts the end token."""
        own = cast(Model, model)
        with torch.no_grad():
            states, targets = self._states(own, batch)
            nats = cross_entropy.each(states, own.output, targets).double()
        text = float(nats[targets != self.end_id].sum())
        return Sums({self.term: float(nats.sum())}, {self.term: batch.counts[self.term]}, text)

    def _states(self, model: Model, batch: Batch) -> tuple[Tensor, Tensor]:
        """What the output layer gets (N, D), and the targets (N,)."""
        hidden, targets = targeted(states_of(model, batch), batch.targets)
        return model.before_output(hidden), targets


def states_of(model: Any, batch: Batch) -> Tensor:
    """Hidden states (b, t, d) of a model of any kind at the inputs of a batch."""
    if batch.source is not None:
        memory = model.encode(batch.source, batch.source_real)
        return model.hidden(batch.inputs, memory)  # type: ignore[no-any-return]
    sight = "left" if batch.seen is None else batch.seen
    if model.kind == "decoder" and batch.seen is None:
        return model.hidden(batch.inputs)  # type: ignore[no-any-return]
    return model.hidden(batch.inputs, sight=sight)  # type: ignore[no-any-return]


class RunningText(NextToken):
    """Next-token loss over windows of a stream."""

    covers_text = True

    def batch(self, ids: np.ndarray) -> Batch:
        """Windows (B, T+1) as inputs and targets (B, T) that lie one token later; nothing is random."""
        ids = ids.astype(np.int64, copy=False)
        return make_batch(self.term, ids[:, :-1], ids[:, 1:])

    def batches(self, windows: WindowBatch, micro_rows: int) -> list[Batch]:
        return [self.batch(part.ids) for part in windows.cut(micro_rows)]

    def validation(self, stream: TokenStream, context: int, rows: int) -> Iterator[Batch]:
        """Each token of the side is a target once."""
        return (make_batch(self.term, *arrays) for arrays in evaluation_windows(stream, context, rows))
