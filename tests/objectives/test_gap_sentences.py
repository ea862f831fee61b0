"""Gap sentences: which ones, how many, and that nothing is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from lmcli.objectives.gap_sentences import Choice, GapSentences, overlaps
from lmcli.objectives.noise import Sentences, sentences
from lmcli.tokens.window_batch import WindowBatch
from tests.objectives.texts import END, FIRST, MASK, documents, windows


def split(batch: WindowBatch) -> tuple[np.ndarray, Sentences]:
    return batch.ids[0], sentences(batch, 0, batch.ids.shape[1])


@settings(deadline=None, max_examples=150)
@given(batch=documents())
def test_sentences_cover_the_text_and_end_tokens_stand_alone(batch: WindowBatch) -> None:
    ids, found = split(batch)
    assert found.starts[0] == 0
    assert found.stops[-1] == len(ids)
    assert np.array_equal(found.starts[1:], found.stops[:-1])
    for start, stop, document, movable in zip(*found, strict=True):
        assert movable == (END not in ids[start:stop])
        assert movable or stop == start + 1
        assert document == np.count_nonzero(ids[:start] == END)


@settings(deadline=None, max_examples=150)
@given(batch=documents(), rate=st.floats(0.1, 0.9), choice=st.sampled_from(["principal", "random"]))
def test_source_and_target_restore_the_text(batch: WindowBatch, rate: float, choice: Choice) -> None:
    ids, found = split(batch)
    pair = GapSentences(rate, choice, MASK, END)(batch, 0, len(ids))
    assert END not in pair.target[:-1].tolist()
    hidden, place, parts = pair.target[:-1].tolist(), 0, ids.tolist()
    lengths = dict(zip(found.starts.tolist(), (found.stops - found.starts).tolist(), strict=True))
    for token in pair.source[:-1].tolist():
        size = lengths[place] if token == MASK else 1
        assert parts[place : place + size] == (hidden[:size] if token == MASK else [token])
        hidden, place = hidden[size:] if token == MASK else hidden, place + size
    assert place == len(ids)
    assert not hidden


@settings(deadline=None, max_examples=40)
@given(batch=documents())
def test_the_order_is_that_of_rouge_1(batch: WindowBatch) -> None:
    """F1 of `rouge-score` for words that are the token ids, each sentence against the rest of its document."""
    ids, found = split(batch)
    scorer = RougeScorer(["rouge1"])
    for document in np.unique(found.documents):
        own = np.flatnonzero((found.documents == document) & found.movable)
        if len(own) < 2:
            continue
        texts = [" ".join(f"w{t}" for t in ids[found.starts[i] : found.stops[i]]) for i in own]
        f1 = [scorer.score(" ".join(texts[:i] + texts[i + 1 :]), one)["rouge1"].fmeasure for i, one in enumerate(texts)]
        size = sum(found.stops[own] - found.starts[own])
        assert 2 * overlaps(ids, found)[own] / size == pytest.approx(f1)


def test_the_sentence_that_says_it_all_is_taken() -> None:
    text = [11, 12, 20, 11, 12, 13, 14, 13, 14, 21]
    source, target = GapSentences(0.3, "principal", MASK, END)(windows(text, [3, 7, 10]), 0, 10)
    assert target.tolist() == [11, 12, 13, 14, END]
    assert source.tolist() == [11, 12, 20, MASK, 13, 14, 21, END]


@pytest.mark.parametrize("choice", ["principal", "random"])
def test_about_three_in_ten_sentences_are_hidden(choice: Choice) -> None:
    rng = np.random.default_rng(0)
    hidden = there = 0
    for number in range(300):
        sizes = rng.integers(3, 30, 17)
        text = rng.integers(FIRST, FIRST + 200, sizes.sum())
        batch = windows(text, np.cumsum(sizes).tolist(), seed=number)
        source = GapSentences(0.3, choice, MASK, END)(batch, 0, len(text)).source
        hidden, there = hidden + np.count_nonzero(source == MASK), there + 17
    assert hidden / there == pytest.approx(0.3, abs=0.01)


def test_a_text_with_few_sentences_keeps_one_and_hides_one() -> None:
    gap = GapSentences(0.05, "principal", MASK, END)
    assert np.count_nonzero(gap(windows([11, 12, 13, 12], [2, 4]), 0, 4).source == MASK) == 1
    alone = gap(windows([11, 12, 13, END], [3]), 0, 4)
    assert alone.source.tolist() == [11, 12, 13, END, END]
    assert alone.target.tolist() == [END]
    greedy = GapSentences(0.99, "random", MASK, END)
    assert np.count_nonzero(greedy(windows([11, 12, 13, 12], [2, 4]), 0, 4).source == MASK) == 1
