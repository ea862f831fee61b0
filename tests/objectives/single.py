"""Objectives whose loss has a single term, as one pair of numbers."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from lmcli.objectives.batch import Batch, Sums


def loss(objective: Any, model: nn.Module, batch: Batch) -> tuple[Tensor, int]:
    """The sum of nats and the number of targets that it is a sum over."""
    (nats,) = objective.losses(model, batch).values()
    (count,) = batch.counts.values()
    return nats, count


def total(sums: Sums) -> tuple[float, int]:
    """The same of sums."""
    (nats,) = sums.nats.values()
    (count,) = sums.counts.values()
    return nats, count
