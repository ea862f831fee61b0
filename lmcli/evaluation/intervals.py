"""Bootstrap intervals: how far a figure would move if the units of the evaluation had been drawn again."""

from __future__ import annotations

import numpy as np

from lmcli.evaluation.scores import Counts, Interval, Score, Tally

RESAMPLES = 1000
LEVEL = 0.95


def score(tally: Tally, seed: int) -> Score:
    """The figure of all rows together, with its interval."""
    return Score(
        name=tally.name,
        value=tally.value(tally.rows.sum(axis=0)),
        signature=tally.signature,
        n=len(tally.rows),
        unit=tally.unit,
        interval=bootstrap(tally, seed),
    )


def bootstrap(tally: Tally, seed: int, *, resamples: int = RESAMPLES, level: float = LEVEL) -> Interval | None:
    """The percentile interval (Efron 1979) over resampled units; None when one unit says nothing about others.

    Each resample draws as many units as there are, with replacement, and takes the figure of the sum of their rows. The
    same seed gives the same interval.
    """
    if len(tally.rows) < 2:
        return None
    rng = np.random.default_rng(seed)
    values = np.array([tally.value(_resampled(tally.rows, rng)) for _ in range(resamples)])
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high), level, resamples, seed)


def _resampled(rows: Counts, rng: np.random.Generator) -> Counts:
    """The sum of n rows drawn from n with replacement: (counts,)."""
    drawn: Counts = rows[rng.integers(len(rows), size=len(rows))]
    return np.asarray(drawn.sum(axis=0), dtype=np.float64)
