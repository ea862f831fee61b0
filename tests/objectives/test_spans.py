"""Span corruption against T5's layout and its published statistics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.errors import ConfigError
from lmcli.objectives.covering import Spans, composed, covered, told
from lmcli.objectives.noise import Pair
from lmcli.objectives.t5_spans import SpanCorruption, random_spans, without
from lmcli.tokens.window_batch import WindowBatch
from tests.objectives.texts import END, FIRST, SENTINELS, documents, windows

T5 = SpanCorruption(0.15, 3.0, SENTINELS, END)


def restored(pair: Pair) -> list[int]:
    """The text: each sentinel in the source replaced by what the target has after it."""
    answers: dict[int, list[int]] = {}
    for token in pair.target[:-1].tolist():
        if token in SENTINELS:
            answers[token] = []
            last = token
        else:
            answers[last].append(token)
    return [out for token in pair.source[:-1].tolist() for out in answers.get(token, [token])]


@settings(deadline=None, max_examples=150)
@given(batch=documents(), rate=st.floats(0.05, 0.8), span=st.floats(1, 8))
def test_source_and_target_restore_the_text(batch: WindowBatch, rate: float, span: float) -> None:
    length = batch.ids.shape[1]
    pair = SpanCorruption(rate, span, SENTINELS, END)(batch, 0, length)
    assert restored(pair) == batch.ids[0].tolist()
    signs = [token for token in pair.target.tolist() if token in SENTINELS]
    assert signs == SENTINELS[: len(signs)].tolist()
    assert [token for token in pair.source.tolist() if token in SENTINELS] == signs[:-1]
    assert pair.source[-1] == pair.target[-1] == END
    assert END not in pair.target[:-1].tolist()
    assert len(pair.source) <= length + 1


def test_it_is_laid_out_as_in_the_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    """Raffel et al. (2020), figure 2: Thank you for inviting me to your party last week ."""
    text = np.arange(FIRST, FIRST + 11)
    spans = Spans(np.array([2, 8]), np.array([4, 9]))
    monkeypatch.setattr("lmcli.objectives.t5_spans.random_spans", lambda *_: spans)
    source, target = T5(windows(text), 0, 11)
    assert source.tolist() == [10, 11, 1099, 14, 15, 16, 17, 1098, 19, 20, END]
    assert target.tolist() == [1099, 12, 13, 1098, 18, 1097, END]


def test_the_published_statistics() -> None:
    """512 tokens: 77 hidden ones (15 %) in 26 spans (a mean of 3), wherever they are, and 455 + 105 tokens of both."""
    batch = windows(np.arange(FIRST, FIRST + 512), rows=300)
    hidden = np.zeros(512)
    sizes = []
    for row in range(300):
        spans = random_spans(512, 0.15, 3.0, batch.rng(row))
        assert len(spans.starts) == 26
        assert (spans.stops - spans.starts).sum() == 77
        assert spans.starts[0] > 0
        assert spans.stops[-1] == 512
        assert np.all(spans.starts[1:] > spans.stops[:-1])
        sizes += (spans.stops - spans.starts).tolist()
        for start, stop in zip(*spans, strict=True):
            hidden[start:stop] += 1
        pair = T5(batch, row, 512)
        assert (len(pair.source), len(pair.target)) == (512 - 77 + 26 + 1, 77 + 26 + 2)
    assert np.mean(sizes) == pytest.approx(77 / 26)
    assert np.mean(np.array(sizes) == 1) == pytest.approx(25 / 76, abs=0.03)  # of compositions of 77 into 26 parts
    thirds = hidden[9:504].reshape(3, -1).mean(axis=1) / 300
    assert thirds == pytest.approx([0.15] * 3, abs=0.02)


def test_compositions_are_uniform() -> None:
    rng = np.random.default_rng(0)
    drawn = [tuple(composed(5, 3, rng)) for _ in range(3000)]
    assert set(drawn) == {(1, 1, 3), (1, 3, 1), (3, 1, 1), (1, 2, 2), (2, 1, 2), (2, 2, 1)}
    assert all(drawn.count(parts) == pytest.approx(500, abs=90) for parts in set(drawn))


def test_of_a_span_around_an_end_the_longer_side_is_left() -> None:
    ids = np.array([5, 5, END, 5, 5, 5, END, END, 5])
    spans = without(END, ids, Spans(np.array([0, 6, 8]), np.array([5, 8, 9])))
    assert list(zip(*(x.tolist() for x in spans), strict=True)) == [(0, 2), (8, 9)]


def test_empty_spans_are_signs_between_tokens() -> None:
    ids, spans = np.arange(4), Spans(np.array([0, 2, 2, 4]), np.array([0, 2, 3, 4]))
    assert covered(ids, spans, np.array([91, 92, 93, 94])).tolist() == [91, 0, 1, 92, 93, 3, 94]
    assert told(ids, spans, np.array([91, 92, 93, 94])).tolist() == [91, 92, 93, 2, 94]


def test_it_depends_on_the_window_and_its_number_alone() -> None:
    batch = windows(np.arange(FIRST, FIRST + 64), rows=6)
    whole = [T5(batch, row, 64).source.tolist() for row in range(6)]
    assert [T5(part, 0, 64).source.tolist() for part in batch.cut(1)] == whole
    assert whole[0] != whole[1]
    other = windows(np.arange(FIRST, FIRST + 64), rows=6, seed=1)
    assert T5(other, 0, 64).source.tolist() != whole[0]


def test_too_few_sentinels_are_told_with_the_line_to_write() -> None:
    few = SpanCorruption(0.15, 3.0, SENTINELS[:4], END)
    with pytest.raises(ConfigError, match="512 tokens of text need 27 sentinels, and the tokenizer has 4") as caught:
        few(windows(np.arange(512) + FIRST), 0, 512)
    assert "sentinels = 27" in str(caught.value.hint)
