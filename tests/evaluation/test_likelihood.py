from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.errors import InputError
from lmcli.evaluation.likelihood import Likelihood, Nats, likelihood
from lmcli.evaluation.windows import document_windows
from lmcli.tokens.windows import IGNORED, Ids

END, VOCAB = 0, 5
BYTES = np.array([0, 1, 2, 3, 4])
DOCUMENTS = st.lists(st.lists(st.integers(1, 4), max_size=6), min_size=1, max_size=40)


def measured(documents: list[list[int]], context: int = 4, batch: int = 2, cost: Nats | None = None) -> Likelihood:
    costs = np.arange(1.0, 1.0 + VOCAB) if cost is None else cost

    def windows() -> list[tuple[Ids, Nats]]:
        cut = document_windows([(ids, True) for ids in documents], END, context, batch)
        return [(targets, np.where(targets == IGNORED, np.nan, costs[np.maximum(targets, 0)])) for _, targets in cut]

    return likelihood(windows(), token_bytes=BYTES, end_id=END, context=context)


@given(DOCUMENTS, st.integers(1, 7), st.integers(1, 4))
@settings(deadline=None, max_examples=50)
def test_sums_are_those_of_the_tokens(documents: list[list[int]], context: int, batch: int) -> None:
    found = measured(documents, context, batch)
    text = [token for document in documents for token in document]
    assert found.tokens == len(text) + len(documents)
    assert found.documents == len(documents)
    assert found.text_bytes == sum(text)
    assert found.text_nats == pytest.approx(sum(1.0 + token for token in text))
    assert found.nats == pytest.approx(found.text_nats + len(documents))
    assert found.rows.sum(axis=0) == pytest.approx([found.nats, found.tokens, found.text_nats, found.text_bytes])


@given(
    st.lists(st.lists(st.integers(1, 4), max_size=6), min_size=30, max_size=40), st.integers(1, 7), st.integers(1, 4)
)
@settings(deadline=None, max_examples=25)
def test_many_documents_are_the_units(documents: list[list[int]], context: int, batch: int) -> None:
    found = measured(documents, context, batch)
    assert found.unit == "documents"
    expected = [
        [sum(1.0 + token for token in ids) + 1, len(ids) + 1, sum(1.0 + token for token in ids), sum(ids)]
        for ids in documents
    ]
    np.testing.assert_allclose(found.rows, expected)


def test_few_documents_are_resampled_by_window() -> None:
    found = measured([[1, 2, 3, 4, 1], [2]], context=4)
    assert (found.unit, found.documents, len(found.rows)) == ("windows", 2, 3)


def test_figures() -> None:
    found = measured([[1, 2], [4]])
    figures = {score.name: score for score in found.scores(seed=0)}
    assert figures["loss"].value == pytest.approx((2 + 3 + 1 + 5 + 1) / 5)
    assert figures["perplexity"].value == pytest.approx(math.exp(12 / 5))
    assert figures["bpb"].value == pytest.approx((2 + 3 + 5) / math.log(2) / 7)
    assert "tokens:5" in figures["perplexity"].signature
    assert "vocab:5" in figures["loss"].signature
    assert "end tokens:no" in figures["bpb"].signature


def test_end_tokens_cost_loss_but_no_bits_per_byte() -> None:
    cheap, dear = (measured([[1, 2]], cost=np.array([end, 1, 1, 1, 1.0])) for end in (0.0, 50.0))
    cheap_figures, dear_figures = ({s.name: s.value for s in found.scores(0)} for found in (cheap, dear))
    assert cheap_figures["bpb"] == dear_figures["bpb"]
    assert cheap_figures["loss"] < dear_figures["loss"]


def test_the_size_of_the_text_wins_over_what_its_tokens_stand_for() -> None:
    windows = [(np.array([[1, 2, END]]), np.array([[1.0, 1.0, 1.0]]))]
    found = likelihood(windows, token_bytes=BYTES, end_id=END, context=4, text_bytes=lambda: 12)
    assert found.text_bytes == 12
    assert found.scores(0)[2].value == pytest.approx(2 / math.log(2) / 12)


def test_each_row_of_a_file_can_be_the_unit() -> None:
    windows = [(np.array([[1, END], [2, 3]]), np.ones((2, 2)))]
    found = likelihood(windows, token_bytes=BYTES, end_id=END, context=2, unit="rows")
    assert (found.unit, len(found.rows)) == ("rows", 2)


def test_an_impossible_loss_is_an_infinite_perplexity_and_no_crash() -> None:
    assert measured([[1, 2]], cost=np.full(VOCAB, 800.0)).scores(0)[1].value == math.inf


def test_no_token_is_an_input_error() -> None:
    with pytest.raises(InputError, match="no text"):
        likelihood([], token_bytes=BYTES, end_id=END, context=4)
