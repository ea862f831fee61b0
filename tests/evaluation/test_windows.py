from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.evaluation.windows import document_windows
from lmcli.tokens.windows import IGNORED

END = 0
DOCUMENTS = st.lists(st.lists(st.integers(1, 9), max_size=12), max_size=8)


def laid_out(documents: list[list[int]]) -> list[int]:
    return [token for document in documents for token in [*document, END]]


@given(DOCUMENTS, st.integers(1, 6), st.integers(1, 5))
@settings(deadline=None, max_examples=50)
def test_every_token_is_a_target_once_and_in_order(documents: list[list[int]], context: int, batch: int) -> None:
    windows = list(document_windows([(ids, True) for ids in documents], END, context, batch))
    targets = [int(token) for _, goals in windows for token in goals[goals != IGNORED]]
    assert targets == laid_out(documents)
    assert all(inputs.shape[1] <= context and inputs.size <= batch * context for inputs, _ in windows)


@given(DOCUMENTS, st.integers(1, 6), st.integers(1, 5))
@settings(deadline=None, max_examples=50)
def test_the_input_before_a_target_is_the_token_before_it(documents: list[list[int]], context: int, batch: int) -> None:
    inputs_in_order: list[int] = []
    for inputs, targets in document_windows([(ids, True) for ids in documents], END, context, batch):
        inputs_in_order += [int(token) for token in inputs[targets != IGNORED]]
    assert inputs_in_order == [token for document in documents for token in [END, *document]]


@given(st.lists(st.integers(1, 9), max_size=20), st.integers(0, 20), st.integers(1, 6))
@settings(deadline=None, max_examples=50)
def test_a_document_may_arrive_in_pieces(ids: list[int], cut: int, context: int) -> None:
    whole = list(document_windows([(ids, True)], END, context, 4))
    pieces = list(document_windows([(ids[:cut], False), (ids[cut:], True)], END, context, 4))
    assert len(whole) == len(pieces)
    for (inputs, targets), (others, goals) in zip(whole, pieces, strict=True):
        np.testing.assert_array_equal(inputs, others)
        np.testing.assert_array_equal(targets, goals)


def test_a_window_has_an_earlier_token_only_as_its_first_input() -> None:
    ((inputs, targets),) = document_windows([([1, 2, 3, 4], True)], END, 3, 2)
    np.testing.assert_array_equal(inputs, [[0, 1, 2], [3, 4, 0]])
    np.testing.assert_array_equal(targets, [[1, 2, 3], [4, 0, IGNORED]])


def test_short_documents_share_a_batch() -> None:
    (batch,) = document_windows([([1], True)] * 8, END, 16, 1)
    assert batch[0].shape == (8, 2)


def test_a_document_that_never_ends_keeps_its_last_tokens() -> None:
    ((_, targets),) = document_windows([([1, 2], False)], END, 8, 1)
    np.testing.assert_array_equal(targets, [[1, 2]])
