from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.errors import InputError
from lmcli.tokens.layout import Index, SideIndex, documents_path, shard_path
from lmcli.tokens.shards import TokenStream
from lmcli.tokens.windows import IGNORED, Windows, evaluation_windows

END = 60_000


def counting(directory: Path, length: int) -> TokenStream:
    """A stream whose ids are their own positions."""
    shards = tuple(min(13, length - start) for start in range(0, length, 13))
    ids = np.arange(length, dtype="<u2")
    for number in range(len(shards)):
        shard_path(directory, "train", number).write_bytes(ids[number * 13 : number * 13 + 13].tobytes())
    documents_path(directory, "train").write_bytes(b"")
    return TokenStream(
        directory, "train", Index("uint16", END + 1, END, {"train": SideIndex(length, 0, length, shards)})
    )


Sizes = st.tuples(st.integers(1, 90), st.integers(1, 20), st.integers(1, 7))


@settings(deadline=None, max_examples=50)
@given(sizes=Sizes, seed=st.integers(0, 2**64))
def test_each_window_comes_once_in_an_epoch(
    tmp_path_factory: pytest.TempPathFactory, sizes: tuple[int, int, int], seed: int
) -> None:
    length, context, batch = sizes
    windows = Windows(counting(tmp_path_factory.mktemp("stream"), length), context, batch, seed)
    count = max(1, length // context)
    steps = -(-3 * count // batch)
    rows = np.concatenate([windows(step) for step in range(steps)])
    assert rows.shape == (steps * batch, context + 1)
    assert np.array_equal(rows[:, 1:], (rows[:, :-1] + 1) % length)
    for epoch in range(3):
        starts = rows[epoch * count : (epoch + 1) * count, 0]
        distances = np.sort((starts - starts[0]) % length)
        # Whole windows apart, on one circle with a single gap.
        gaps = np.diff([*distances, length])
        assert len(set(starts.tolist())) == count
        assert sorted(gaps.tolist())[:-1] == [context] * (count - 1)
    assert windows.tokens_per_epoch == count * context
    assert windows.epoch(steps) == pytest.approx(steps * batch / count)


def test_a_step_does_not_depend_on_what_was_asked_before(tmp_path: Path) -> None:
    stream = counting(tmp_path, 1000)
    forward = Windows(stream, 16, 4, seed=7)
    one_by_one = [forward(step) for step in range(60)]
    backward = Windows(stream, 16, 4, seed=7)
    for step in reversed(range(60)):
        assert np.array_equal(backward(step), one_by_one[step])


def test_the_batch_size_only_groups_the_same_samples(tmp_path: Path) -> None:
    stream = counting(tmp_path, 500)
    small, large = Windows(stream, 10, 2, seed=1), Windows(stream, 10, 6, seed=1)
    assert np.array_equal(
        np.concatenate([small(step) for step in range(9)]), np.concatenate([large(s) for s in range(3)])
    )


def test_epochs_and_seeds_differ_in_order_and_offset(tmp_path: Path) -> None:
    stream = counting(tmp_path, 1000)
    first, second = (Windows(stream, 10, 100, seed=3)(epoch)[:, 0] for epoch in (0, 1))
    other = Windows(stream, 10, 100, seed=4)(0)[:, 0]
    assert len({tuple(first % 10), tuple(second % 10), tuple(other % 10)}) > 1
    assert not np.array_equal(first, np.sort(first))
    assert not np.array_equal(np.argsort(first), np.argsort(second))
    assert not np.array_equal(np.argsort(first), np.argsort(other))


def test_the_order_is_the_same_in_every_version(tmp_path: Path) -> None:
    assert Windows(counting(tmp_path, 100), 10, 10, seed=0)(0)[:, 0].tolist() == [91, 81, 71, 41, 21, 31, 1, 61, 11, 51]


def test_a_tiny_stream_is_repeated(tmp_path: Path) -> None:
    windows = Windows(counting(tmp_path, 3), 8, 2, seed=0)
    row = windows(0)[0]
    assert len(row) == 9
    assert np.array_equal(row[1:], (row[:-1] + 1) % 3)


def test_no_text_no_windows(tmp_path: Path) -> None:
    stream = counting(tmp_path, 0)
    with pytest.raises(InputError):
        Windows(stream, 8, 2, seed=0)
    assert list(evaluation_windows(stream, 8, 2)) == []


@settings(deadline=None, max_examples=50)
@given(sizes=Sizes)
def test_every_token_is_a_target_once_and_follows_its_input(
    tmp_path_factory: pytest.TempPathFactory, sizes: tuple[int, int, int]
) -> None:
    length, context, batch = sizes
    stream = counting(tmp_path_factory.mktemp("stream"), length)
    seen: list[int] = []
    for inputs, targets in evaluation_windows(stream, context, batch):
        assert inputs.shape == targets.shape
        assert inputs.shape[1] == context
        assert 1 <= inputs.shape[0] <= batch
        assert inputs.dtype == targets.dtype == np.int64
        real = targets != IGNORED
        seen += targets[real].tolist()
        before = np.where(targets == 0, END, targets - 1)
        assert np.array_equal(inputs[real], before[real])
        assert (inputs[~real] == END).all()
    assert seen == list(range(length))
