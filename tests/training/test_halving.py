from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.training.halving import Round, better, combinations, rounds


def test_four_trials_are_halved_once() -> None:
    assert rounds(4, 80.0, 0.0) == [Round(4, 10.0, 10.0), Round(2, 20.0, 20.0)]


def test_what_a_longer_run_goes_on_from_is_not_paid_twice() -> None:
    assert rounds(4, 80.0, 0.5) == [Round(4, 10.0, 10.0), Round(2, 20.0, 25.0)]


def test_one_trial_gets_everything() -> None:
    assert rounds(1, 60.0, 0.4) == [Round(1, 60.0, 60.0)]


@settings(deadline=None)
@given(trials=st.integers(1, 200), budget=st.floats(1, 1e6), kept=st.floats(0, 0.9))
def test_rounds_cost_the_budget_and_each_is_longer(trials: int, budget: float, kept: float) -> None:
    found = rounds(trials, budget, kept)
    assert sum(item.trials * item.amount for item in found) == pytest.approx(budget)
    assert found[0].trials == trials
    assert found[-1].trials <= 2
    for before, after in itertools.pairwise(found):
        assert before.trials / 2 <= after.trials < before.trials
        assert after.total > before.total
        assert after.total - kept * before.total == pytest.approx(after.amount)


def test_the_better_half_stays_in_its_order_and_ties_go_to_the_loss_then_to_the_first() -> None:
    scores = {1: (2.0, 1.0), 2: (1.0, 3.0), 3: (1.0, 2.0), 4: (float("inf"), float("inf")), 5: (2.0, 1.0)}
    assert better(scores, 2) == [2, 3]
    assert better(scores, 1) == [3]
    assert better(scores, 3) == [1, 2, 3]
    assert better(scores, 9) == [1, 2, 3, 4, 5]


def test_every_combination_comes_once() -> None:
    assert combinations({"lr": ["1", "2"], "depth": ["4", "6"]}) == [
        {"lr": "1", "depth": "4"}, {"lr": "1", "depth": "6"}, {"lr": "2", "depth": "4"}, {"lr": "2", "depth": "6"},
    ]  # fmt: skip
    assert combinations({}) == [{}]
