"""BART's noise against its description."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.objectives.bart_noise import BartNoise, poisson_spans
from lmcli.objectives.noise import sentences
from lmcli.tokens.window_batch import WindowBatch
from tests.objectives.texts import END, FIRST, MASK, documents, windows


def bart(**shares: Any) -> BartNoise:
    nothing = {"permute": 0.0, "delete": 0.0, "infill": 0.0, "span": 3.0, "rotate": 0.0}
    return BartNoise(**{**nothing, **shares}, mask_id=MASK, end_id=END)


@settings(deadline=None, max_examples=100)
@given(batch=documents(), share=st.floats(0, 0.9), rotate=st.sampled_from([0.0, 1.0]))
def test_the_target_is_the_whole_text(batch: WindowBatch, share: float, rotate: float) -> None:
    noise = bart(permute=share, delete=share / 2, infill=share, rotate=rotate)
    pair = noise(batch, 0, batch.ids.shape[1])
    assert pair.target.tolist() == [*batch.ids[0].tolist(), END]
    assert pair.source[-1] == END
    text = np.bincount(batch.ids[0], minlength=100)
    assert np.all(np.bincount(pair.source[pair.source != MASK][:-1], minlength=100) <= text)


@settings(deadline=None, max_examples=100)
@given(batch=documents(), share=st.floats(0.1, 1))
def test_permutation_moves_whole_sentences_within_their_document(batch: WindowBatch, share: float) -> None:
    ids = batch.ids[0]
    found = sentences(batch, 0, len(ids))
    source = bart(permute=share)(batch, 0, len(ids)).source[:-1]
    assert np.array_equal(source == END, ids == END)
    for document in np.unique(found.documents):
        own = np.flatnonzero((found.documents == document) & found.movable)
        if len(own):
            rest = source[found.starts[own[0]] : found.stops[own[-1]]].tolist()
            pieces = sorted((ids[found.starts[i] : found.stops[i]].tolist() for i in own), key=len, reverse=True)
            assert sorted(rest) == sorted(itertools.chain(*pieces))
            assert is_made_of(rest, pieces)


def is_made_of(text: list[int], pieces: list[list[int]]) -> bool:
    """Whether a text is the pieces in some order."""
    if not text:
        return not pieces
    return any(
        text[: len(piece)] == piece and is_made_of(text[len(piece) :], pieces[:i] + pieces[i + 1 :])
        for i, piece in enumerate(pieces)
    )


def test_each_order_of_the_sentences_comes_as_often() -> None:
    batch = windows([11, 12, 12, 13, 13, 13], [1, 3, 6], rows=1200)
    orders = [tuple(dict.fromkeys(bart(permute=1.0)(batch, row, 6).source[:-1].tolist())) for row in range(1200)]
    assert len(set(orders)) == 6
    assert all(orders.count(order) == pytest.approx(200, abs=55) for order in set(orders))


def test_infilling_hides_three_in_ten_tokens_in_poisson_spans() -> None:
    rng = np.random.default_rng(0)
    sizes = []
    for _ in range(400):
        spans = poisson_spans(400, 0.3, 3.0, rng)
        lengths = spans.stops - spans.starts
        assert lengths.sum() == 120
        assert np.all(spans.starts[1:] >= spans.stops[:-1])
        assert spans.stops[-1] <= 400
        sizes += lengths[:-1].tolist()  # the last one is cut
    for length in range(7):
        expected = math.exp(-3) * 3**length / math.factorial(length)
        assert np.mean(np.array(sizes) == length) == pytest.approx(expected, abs=0.012)


def test_deleted_tokens_leave_no_trace() -> None:
    text = np.arange(FIRST, FIRST + 100)
    source = bart(delete=0.2)(windows(text), 0, 100).source[:-1]
    assert len(source) == 80
    assert np.all(np.diff(source) > 0)


def test_rotation_begins_anywhere_in_its_share_of_the_windows() -> None:
    text = np.arange(FIRST, FIRST + 50)
    batch = windows(text, rows=600)
    firsts = []
    for row in range(600):
        source = bart(rotate=0.5)(batch, row, 50).source[:-1]
        assert np.array_equal(source, np.roll(text, FIRST - source[0]))
        firsts.append(source[0] - FIRST)
    assert np.mean(np.array(firsts) == 0) == pytest.approx(0.51, abs=0.06)
    assert len(set(firsts)) > 45
