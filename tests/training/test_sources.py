from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.objectives.next_token import RunningText
from lmcli.objectives.supervised import Example, Supervised
from lmcli.tokens.window_batch import WindowBatch
from lmcli.training.sources import RowSource, WindowSource
from lmcli.training.step import step_seed


def examples(count: int) -> list[Example]:
    """Example n holds 1 + n % 4 tokens of prompt and 2 trained tokens."""
    return [Example(np.arange(3 + n % 4), 1 + n % 4) for n in range(count)]


def source(count: int, rows: int, epochs: float | None = None, micro_rows: int = 2, seed: int = 1) -> RowSource:
    return RowSource(examples(count), Supervised(0), rows=rows, micro_rows=micro_rows, seed=seed, epochs=epochs)


@settings(deadline=None, max_examples=50)
@given(count=st.integers(1, 20), rows=st.integers(1, 25), epochs=st.sampled_from([1.0, 2.0, 3.0]))
def test_every_epoch_is_a_permutation_and_the_last_step_is_what_is_left(count: int, rows: int, epochs: float) -> None:
    found = source(count, rows, epochs)
    assert found.steps is not None
    steps = [found.indices(step) for step in range(1, found.steps + 1)]
    flat = [index for step in steps for index in step]
    assert len(flat) == count * epochs
    assert all(len(step) == rows for step in steps[:-1])
    assert 0 < len(steps[-1]) <= rows
    for epoch in range(int(epochs)):
        assert sorted(flat[epoch * count : (epoch + 1) * count]) == list(range(count))


def test_epochs_differ_in_their_order() -> None:
    found = source(50, 50, 2.0)
    assert found.indices(1) != found.indices(2)


def test_a_step_does_not_depend_on_those_before_it() -> None:
    ahead = source(10, 3)
    for step in range(1, 20):
        ahead.indices(step)
    assert [source(10, 3).indices(step) for step in (7, 4, 19)] == [ahead.indices(step) for step in (7, 4, 19)]


def test_another_seed_draws_another_order() -> None:
    assert source(50, 50, seed=1).indices(1) != source(50, 50, seed=2).indices(1)


def test_micro_batches_hold_the_step_and_little_padding() -> None:
    found = source(8, 8, 1.0)
    batches = found(1)
    assert [len(batch.inputs) for batch in batches] == [2, 2, 2, 2]
    assert sum(batch.tokens for batch in batches) == 8 * 2
    assert Counter(batch.inputs.shape[1] for batch in batches) == {2: 1, 3: 1, 4: 1, 5: 1}


@pytest.mark.parametrize(("micro_rows", "sizes"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (9, [5])])
def test_windows_are_cut_into_micro_batches(micro_rows: int, sizes: list[int]) -> None:
    rows = np.arange(5 * 4).reshape(5, 4)
    asked: list[int] = []

    class Five:
        batch = 5

        def at(self, step: int) -> Any:
            asked.append(step)
            return WindowBatch(rows, np.arange(5), np.arange(5), 0, None)  # type: ignore[arg-type]

    found = WindowSource(Five(), RunningText(0), micro_rows)(7)  # type: ignore[arg-type]
    assert asked == [6]
    assert [len(batch.inputs) for batch in found] == sizes
    assert np.concatenate([batch.inputs.numpy() for batch in found]).tolist() == rows[:, :-1].tolist()


def test_pieces_of_windows_make_as_many_micro_batches_and_are_named_by_their_windows() -> None:
    class Cut:
        batch = 3

        def at(self, step: int) -> Any:
            numbers = np.array([0, 1, 2, 6, 7, 8])
            return WindowBatch(np.arange(6 * 4).reshape(6, 4), numbers, numbers, 0, None)  # type: ignore[arg-type]

    source = WindowSource(Cut(), RunningText(0), micro_rows=2)
    assert [len(batch.inputs) for batch in source(1)] == [4, 2]
    assert source.samples(1) == [0, 1, 2, 6, 7, 8]


def test_every_micro_batch_has_its_own_seed() -> None:
    seeds = {step_seed(seed, step, micro) for seed in range(3) for step in range(12) for micro in range(12)}
    assert len(seeds) == 3 * 12 * 12
    assert all(0 <= seed < 2**63 for seed in seeds)
