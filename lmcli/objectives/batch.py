"""What an objective gives a model, and what it says about the result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

IGNORED = -100
"""The target of a position that has no loss; the value that PyTorch ignores by default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Token ids (B, T) and, for each position, the token to predict there or IGNORED (B, T); both int64.

    What an objective has no use for is None.
    """

    inputs: Tensor
    targets: Tensor
    counts: Mapping[str, int]
    """Term of the loss -> how many targets it has here."""
    tokens: int
    """In which progress is counted."""
    real: Tensor | None = None
    """(B, T): False where a row is padding."""
    types: Tensor | None = None
    """(B, T): the segment that a token belongs to."""
    labels: Tensor | None = None
    """(B,): what to say about the whole row."""
    originals: Tensor | None = None
    """(B, T): the tokens before they were corrupted."""
    draws: Tensor | None = None
    """(B, T): a number in [0, 1) for each position, for what a model draws there."""
    seen: Tensor | None = None
    """(B,): how many first positions are seen by all."""
    source: Tensor | None = None
    """(B, S): what an encoder reads."""
    source_real: Tensor | None = None
    """(B, S): False where a source is padding."""
    part: str = ""
    """Which objective of a mix this batch is for."""

    def to(self, device: str) -> Batch:
        """The same batch on another device; to a GPU it travels while that computes, from pages that stay put."""
        if device == "cpu":
            return self
        pinned = torch.device(device).type == "cuda"
        moved: dict[str, Any] = {
            name: (x.pin_memory() if pinned else x).to(device, non_blocking=pinned) for name, x in self._tensors()
        }
        return replace(self, **moved)

    def idle(self) -> Batch:
        """Its first row without any target: computing it adds nothing to loss or gradient."""
        first: dict[str, Any] = {name: x[:1] for name, x in self._tensors()}
        first["targets"] = torch.full_like(first["targets"], IGNORED)
        if self.labels is not None:
            first["labels"] = torch.full_like(first["labels"], IGNORED)
        if self.real is not None:
            first["real"] = torch.zeros_like(first["real"])
        return replace(self, **first, counts=dict.fromkeys(self.counts, 0), tokens=0)

    def _tensors(self) -> Iterator[tuple[str, Tensor]]:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, Tensor):
                yield item.name, value


@dataclass(frozen=True, slots=True)
class Sums:
    """Validation loss as sums, so that batches of any size add up exactly.

    `text_nats` leaves out the targets that stand for no text (the end token): bits per byte is
    text_nats / ln 2 / bytes of text. It stays 0 where targets aren't the whole text.
    """

    nats: Mapping[str, float] = field(default_factory=dict)
    """Term of the loss -> sum of nats."""
    counts: Mapping[str, int] = field(default_factory=dict)
    text_nats: float = 0.0

    def __add__(self, other: Sums) -> Sums:
        terms = {**self.nats, **other.nats}
        nats = {term: self.nats.get(term, 0.0) + other.nats.get(term, 0.0) for term in terms}
        counts = {term: self.counts.get(term, 0) + other.counts.get(term, 0) for term in terms}
        return Sums(nats, counts, self.text_nats + other.text_nats)


def make_batch(term: str, inputs: np.ndarray, targets: np.ndarray) -> Batch:
    """A batch with one term over two int64 arrays (B, T), which it shares memory with where it can."""
    count = int(np.count_nonzero(targets != IGNORED))
    return Batch(inputs=torch.from_numpy(inputs), targets=torch.from_numpy(targets), counts={term: count}, tokens=count)


def make_pairs(term: str, sources: Sequence[np.ndarray], targets: Sequence[np.ndarray], start_id: int) -> Batch:
    """A batch with one term for an encoder-decoder whose targets begin with `start_id`, from int64 arrays."""
    source_real = padded([np.ones(len(source), dtype=bool) for source in sources], False)
    count = sum(map(len, targets))
    return Batch(
        inputs=padded([np.append(start_id, target[:-1]) for target in targets], start_id),
        targets=padded(targets, IGNORED),
        source=padded(sources, start_id),
        source_real=None if bool(source_real.all()) else source_real,
        counts={term: count},
        tokens=count,
    )


def padded(rows: Sequence[np.ndarray], fill: int) -> Tensor:
    """Rows side by side, filled on the right up to the longest."""
    longest = max(map(len, rows))
    whole = np.full((len(rows), longest), fill, dtype=rows[0].dtype)
    for place, row in enumerate(rows):
        whole[place, : len(row)] = row
    return torch.from_numpy(whole)
