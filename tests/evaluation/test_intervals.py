from __future__ import annotations

import numpy as np
import pytest

from lmcli.evaluation.intervals import bootstrap, score
from lmcli.evaluation.scores import Counts, Tally, mean, ratio


def tally(rows: Counts) -> Tally:
    return Tally("figure", "signature", "rows", rows, mean)


def means(values: Counts) -> Tally:
    return tally(np.stack([values, np.ones_like(values)], axis=1))


def test_the_interval_has_the_width_that_theory_gives() -> None:
    values = np.random.default_rng(1).normal(5.0, 2.0, 400)
    interval = bootstrap(means(values), seed=0)
    assert interval is not None
    expected = 1.96 * values.std() / np.sqrt(400)
    assert (interval.high - interval.low) / 2 == pytest.approx(expected, rel=0.15)
    assert (interval.high + interval.low) / 2 == pytest.approx(values.mean(), abs=expected / 4)


def test_it_covers_the_truth_about_as_often_as_it_says() -> None:
    draws = [np.random.default_rng(seed).exponential(1.0, 60) for seed in range(100)]
    intervals = [bootstrap(means(draw), seed=3, resamples=300) for draw in draws]
    covered = sum(interval is not None and interval.low <= 1.0 <= interval.high for interval in intervals)
    assert 84 <= covered <= 99


def test_a_ratio_of_sums_is_resampled_as_one() -> None:
    rows = np.array([[10.0, 10.0], [0.0, 1000.0]])
    scored = score(tally(rows), seed=0)
    assert scored.value == pytest.approx(10 / 1010)
    assert scored.interval is not None
    assert (scored.interval.low, scored.interval.high) == (0.0, 1.0)


def test_same_seed_same_interval_other_seed_another() -> None:
    data = means(np.arange(50.0))
    assert bootstrap(data, seed=7) == bootstrap(data, seed=7)
    assert bootstrap(data, seed=7) != bootstrap(data, seed=8)


def test_equal_units_give_a_point() -> None:
    interval = bootstrap(means(np.full(20, 3.0)), seed=0)
    assert interval is not None
    assert (interval.low, interval.high, interval.resamples, interval.level) == (3.0, 3.0, 1000, 0.95)


def test_one_unit_says_nothing_about_others() -> None:
    scored = score(means(np.array([3.0])), seed=0)
    assert (scored.value, scored.n, scored.unit, scored.interval) == (3.0, 1, "rows", None)


def test_nothing_counted_is_nan() -> None:
    assert np.isnan(ratio(1.0, 0.0))
