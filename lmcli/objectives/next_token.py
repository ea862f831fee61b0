"""The loss of every objective that predicts the next token with a decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from lmcli.objectives import cross_entropy
from lmcli.objectives.batch import IGNORED, Batch, Sums


class NextToken:
    """Cross-entropy of a batch's targets; `end_id` is the one target that stands for no text.

    `label_smoothing` changes the loss to train on, never that of `evaluate`.
    """

    needs = "decoder"

    def __init__(self, end_id: int, label_smoothing: float = 0.0) -> None:
        self.end_id = end_id
        self.label_smoothing = label_smoothing

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, int]:
        """Sum of nats over the batch's targets, and their number."""
        hidden, targets = _predicted(model, batch)
        return cross_entropy.summed(hidden, _head(model), targets, self.label_smoothing), batch.count

    def evaluate(self, model: nn.Module, batch: Batch) -> Sums:
        """Cross-entropy of the batch as exact sums, with what predicts text apart from what predicts the end token."""
        with torch.no_grad():
            hidden, targets = _predicted(model, batch)
            nats = cross_entropy.each(hidden, _head(model), targets).double()
        return Sums(float(nats.sum()), batch.count, float(nats[targets != self.end_id].sum()))


def _predicted(model: nn.Module, batch: Batch) -> tuple[Tensor, Tensor]:
    """Hidden states (N, D) and targets (N,) of the positions that have one: the others never meet the head."""
    hidden: Tensor = model.hidden(batch.inputs)  # type: ignore[operator]
    hidden, targets = hidden.flatten(0, 1), batch.targets.flatten()
    if batch.count == targets.numel():
        return hidden, targets
    wanted = torch.nonzero(targets != IGNORED).squeeze(1)
    return hidden.index_select(0, wanted), targets.index_select(0, wanted)


def _head(model: nn.Module) -> Tensor:
    weight: Tensor = model.head_weight  # type: ignore[assignment]
    return weight
