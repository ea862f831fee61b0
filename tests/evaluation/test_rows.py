from __future__ import annotations

import random

from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.corpus.rows import Row
from lmcli.evaluation.rows import choose

ROWS = [Row(f"a.jsonl:{number}", f"prompt {number}", f"completion {number}") for number in range(100)]


def test_a_choice_keeps_the_order_and_the_number() -> None:
    choice = choose(ROWS, 10, seed=0)
    assert len(choice.rows) == 10
    assert list(choice.rows) == [row for row in ROWS if row in choice.rows]
    assert (choice.of, choice.others) == (100, 0)


def test_zero_or_a_large_limit_takes_all() -> None:
    assert choose(ROWS, 0, seed=0).rows == choose(ROWS, 500, seed=0).rows == tuple(ROWS)


def test_the_seed_decides() -> None:
    assert choose(ROWS, 10, seed=0) == choose(ROWS, 10, seed=0)
    assert choose(ROWS, 10, seed=0).rows != choose(ROWS, 10, seed=1).rows


@given(st.randoms(use_true_random=False), st.integers(1, 20))
@settings(deadline=None, max_examples=20)
def test_the_order_of_the_rows_does_not_decide(rng: random.Random, limit: int) -> None:
    shuffled = rng.sample(ROWS, len(ROWS))
    assert set(choose(shuffled, limit, seed=0).rows) == set(choose(ROWS, limit, seed=0).rows)


def test_a_new_row_moves_at_most_one_out() -> None:
    before = set(choose(ROWS, 10, seed=0).rows)
    after = set(choose([*ROWS, Row("b", "new", "row")], 10, seed=0).rows)
    assert len(before - after) <= 1


def test_rows_without_a_prompt_or_a_completion_are_counted_apart() -> None:
    choice = choose([Row("1", "", "only text"), Row("2", "p", ""), Row("3", "p", "c")], 10, seed=0)
    assert [row.id for row in choice.rows] == ["3"]
    assert (choice.of, choice.others) == (1, 2)
