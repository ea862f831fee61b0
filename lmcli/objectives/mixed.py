"""Several objectives on one model: each gets its share of the windows, and its losses count by that share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from torch import Tensor, nn

from lmcli.errors import ConfigError
from lmcli.models.model import Kind
from lmcli.objectives.batch import Batch, Sums
from lmcli.objectives.objective import WindowObjective
from lmcli.tokens.shards import TokenStream
from lmcli.tokens.window_batch import WindowBatch


class Mixed:
    """`parts` (name -> objective) in the shares `shares`. A term is named after its objective: `masked/nsp`.

    Which objective a window is for depends on the window's number in the run alone, as in UniLM's mixture of masks
    within a batch (Dong et al., 2019). Raises ConfigError when no kind of model can be trained for all of them.
    """

    def __init__(self, parts: Mapping[str, WindowObjective], shares: Sequence[float]) -> None:
        self._parts = dict(parts)
        self._shares = np.array(shares) / sum(shares)
        self._marks = np.cumsum(self._shares)
        self.needs = _common(self._parts)
        self.heads = frozenset[str]().union(*(part.heads for part in self._parts.values()))
        self.has_idle_heads = len({part.heads for part in self._parts.values()}) > 1
        self.looks_right = any(part.looks_right for part in self._parts.values())
        self.weights: Mapping[str, float] = {
            _named(name, term, part): float(share) * weight
            for (name, part), share in zip(self._parts.items(), self._shares, strict=True)
            for term, weight in part.weights.items()
        }
        self.covers_text = any(part.covers_text for part in self._parts.values())

    def batches(self, windows: WindowBatch, micro_rows: int) -> list[Batch]:
        chosen = self._chosen(windows)
        return [
            replace(batch, part=name, counts={_named(name, term, part): n for term, n in batch.counts.items()})
            for place, (name, part) in enumerate(self._parts.items())
            if (chosen == place).any()
            for batch in part.batches(windows.only(chosen == place), micro_rows)
        ]

    def _chosen(self, windows: WindowBatch) -> np.ndarray:
        """(B,): which objective each window is for. Its number times the golden ratio, modulo 1, spreads evenly."""
        spread = windows.numbers * 0.6180339887498949 % 1.0
        return np.minimum(np.searchsorted(self._marks, spread, side="right"), len(self._marks) - 1)

    def validation(self, stream: TokenStream, context: int, rows: int) -> Iterator[Batch]:
        """The side once for each objective."""
        for name, part in self._parts.items():
            for batch in part.validation(stream, context, rows):
                counts = {_named(name, term, part): n for term, n in batch.counts.items()}
                yield replace(batch, part=name, counts=counts)

    def losses(self, model: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        part, own = self._own(batch)
        return {_named(batch.part, term, part): nats for term, nats in part.losses(model, own).items()}

    def evaluate(self, model: nn.Module, batch: Batch) -> Sums:
        part, own = self._own(batch)
        sums = part.evaluate(model, own)
        return Sums(
            {_named(batch.part, term, part): nats for term, nats in sums.nats.items()},
            {_named(batch.part, term, part): count for term, count in sums.counts.items()},
            sums.text_nats,
        )

    def _own(self, batch: Batch) -> tuple[WindowObjective, Batch]:
        """The objective that a batch is for, and the batch as that knows it."""
        part = self._parts[batch.part]
        counts = {term: batch.counts[_named(batch.part, term, part)] for term in part.weights}
        return part, replace(batch, counts=counts)


def _named(name: str, term: str, part: WindowObjective) -> str:
    """An objective with one term gives it its own name."""
    return name if len(part.weights) == 1 else f"{name}/{term}"


def _common(parts: Mapping[str, WindowObjective]) -> tuple[Kind, ...]:
    kinds = [part.needs for part in parts.values()]
    common = tuple(kind for kind in kinds[0] if all(kind in other for other in kinds))
    if not common:
        needs = "; ".join(f"{name} needs {' or '.join(part.needs)}" for name, part in parts.items())
        raise ConfigError(f"no model can be trained for all of these objectives: {needs}", "choose others")
    return common
