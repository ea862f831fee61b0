from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.tokens.pieces import Pieces
from lmcli.tokens.windows import Windows
from tests.tokens.test_windows import counting


@settings(deadline=None, max_examples=40)
@given(
    rows=st.integers(1, 6),
    pieces=st.sampled_from([2, 4]),
    steps=st.integers(1, 20),
    seed=st.integers(0, 99),
)
def test_the_same_tokens_come_as_in_whole_windows(
    tmp_path_factory: pytest.TempPathFactory, rows: int, pieces: int, steps: int, seed: int
) -> None:
    """Each target once, as many in each step, and each piece is a stretch of the text."""
    whole = Windows(counting(tmp_path_factory.mktemp("stream"), 997), 16, rows, seed)
    cut = Pieces(whole, pieces, steps)
    found = [cut.at(step) for step in range(steps)]
    assert {batch.ids.shape for batch in found} == {(rows * pieces, 16 // pieces + 1)}
    targets = np.sort(np.concatenate([batch.ids[:, 1:].ravel() for batch in found]))
    assert np.array_equal(targets, np.sort(np.concatenate([whole(step)[:, 1:].ravel() for step in range(steps)])))
    for batch in found:
        places = (batch.starts[:, None] + np.arange(16 // pieces + 1)) % 997
        assert np.array_equal(batch.ids, places)


def test_later_steps_read_whole_windows(tmp_path: Path) -> None:
    whole = Windows(counting(tmp_path, 1000), 16, 3, seed=1)
    cut = Pieces(whole, 4, 5)
    for step in (5, 6, 40):
        assert np.array_equal(cut.at(step).ids, whole(step))


def test_pieces_of_a_window_come_in_different_steps(tmp_path: Path) -> None:
    whole = Windows(counting(tmp_path, 1000), 16, 3, seed=1)
    cut = Pieces(whole, 4, 8)
    for step in range(8):
        assert len(set(cut.at(step).numbers.tolist())) == 12


def test_the_first_piece_is_of_the_step_that_a_whole_window_would_be_of(tmp_path: Path) -> None:
    whole = Windows(counting(tmp_path, 1000), 16, 3, seed=1)
    found = Pieces(whole, 2, 7).at(4)
    assert np.array_equal(found.ids[:3], whole(4)[:, :9])
    assert np.array_equal(found.ids[3:], whole((4 + 3) % 7)[:, 8:])
