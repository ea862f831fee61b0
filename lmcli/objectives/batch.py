"""What an objective gives a model, and what it says about the result."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor, nn

IGNORED = -100
"""The target of a position that has no loss; the value that PyTorch ignores by default."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Token ids (B, T) and, for each position, the token to predict there or IGNORED (B, T); both int64."""

    inputs: Tensor
    targets: Tensor
    count: int
    """How many positions have a target."""

    def to(self, device: str) -> Batch:
        """The same batch on another device; to a GPU it travels while that computes, from pages that stay put."""
        if device == "cpu":
            return self
        pinned = torch.device(device).type == "cuda"
        inputs, targets = (x.pin_memory() if pinned else x for x in (self.inputs, self.targets))
        return Batch(inputs.to(device, non_blocking=pinned), targets.to(device, non_blocking=pinned), self.count)


@dataclass(frozen=True, slots=True)
class Sums:
    """Validation loss as sums, so that batches of any size add up exactly.

    `text_nats` leaves out the targets that stand for no text (the end token): bits per byte is
    text_nats / ln 2 / bytes of text.
    """

    nats: float = 0.0
    count: int = 0
    text_nats: float = 0.0

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.nats + other.nats, self.count + other.count, self.text_nats + other.text_nats)


class Objective(Protocol):
    """`needs` names the kind of model that it can train ("decoder")."""

    needs: str

    def loss(self, model: nn.Module, batch: Batch) -> tuple[Tensor, int]:
        """The loss as a sum of nats (float32, differentiable) and the number of targets in it."""
        ...

    def evaluate(self, model: nn.Module, batch: Batch) -> Sums:
        """The same loss without gradients, with the share of text apart."""
        ...


def make_batch(inputs: np.ndarray, targets: np.ndarray) -> Batch:
    """A batch over two int64 arrays (B, T), which it shares memory with where it can."""
    count = int(np.count_nonzero(targets != IGNORED))
    return Batch(torch.from_numpy(inputs), torch.from_numpy(targets), count)
