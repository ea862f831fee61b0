"""What an evaluation finds: additive counts for each unit of data, and the figures that their sums give."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """Where the figure lies with probability `level` if the units had been drawn anew."""

    low: float
    high: float
    level: float
    resamples: int
    seed: int


@dataclass(frozen=True, slots=True)
class Score:
    """One figure with all that is needed to compare it: how it was computed, over how many units of what."""

    name: str
    value: float
    signature: str
    n: int
    unit: str
    interval: Interval | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """Sufficient statistics of one figure: the figure of any set of units is `value` of the sum of their rows.

    `rows` has the shape (units, counts). A figure that is the same with and without a unit's row twice is no mean of
    means but a ratio of sums, which is why BLEU or perplexity can be resampled without being computed again from text.
    """

    name: str
    signature: str
    unit: str
    rows: Counts
    value: Callable[[Counts], float]


class Metric(Protocol):
    """What a registered metric does: compare predictions with references, one tally for each figure that it gives."""

    def tallies(self, predictions: Sequence[str], references: Sequence[str]) -> list[Tally]: ...


def figures(scores: Iterable[Score]) -> dict[str, float]:
    """Figure name -> value, the form that gates and reports read."""
    return {score.name: score.value for score in scores}


def ratio(numerator: float, denominator: float) -> float:
    """numerator / denominator, or NaN (which passes no gate) where nothing was counted."""
    return float(numerator / denominator) if denominator else float("nan")


def mean(counts: Counts) -> float:
    """The value of a tally whose rows are (amount, 1)."""
    return ratio(counts[0], counts[1])
