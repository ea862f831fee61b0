"""Fill-in-the-middle as a transform of running text."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.objectives.middle import Middle, MiddleText
from lmcli.tokens.window_batch import WindowBatch
from tests.objectives.texts import END, FIRST, documents, windows

PREFIX, SUFFIX, MIDDLE = 3, 4, 5


def plain(document: list[int]) -> tuple[list[int], str]:
    """A document as it was, and how it was laid out."""
    if not document or document[0] != PREFIX:
        return document, ""
    suffix, middle = document.index(SUFFIX), document.index(MIDDLE)
    if suffix > 1 or not _spm(document):
        return document[1:suffix] + document[middle + 1 :] + document[suffix + 1 : middle], "psm"
    return document[middle + 1 :] + document[suffix + 1 : middle], "spm"


def _spm(document: list[int]) -> bool:
    """PSM with an empty prefix and SPM with an empty prefix are the same row."""
    return document[1] == SUFFIX


@settings(deadline=None, max_examples=150)
@given(batch=documents(), share=st.floats(0, 1), suffix_first=st.floats(0, 1))
def test_every_document_can_be_put_together_again(batch: WindowBatch, share: float, suffix_first: float) -> None:
    ids = batch.ids[0]
    laid = Middle(share, suffix_first, PREFIX, SUFFIX, MIDDLE)(batch, 0)
    assert len(laid) == len(ids)
    before, after = [np.split(x, np.flatnonzero(x == END) + 1) for x in (ids, laid)]
    for own, new in zip(before, after, strict=False):
        text, _ = plain([token for token in new.tolist() if token != END])
        kept = [token for token in own.tolist() if token != END]
        assert text == kept[: len(text)]
        assert new is after[-1] or len(text) == len(kept)  # only the last one may have lost its end


def test_shares_and_places_of_the_cuts() -> None:
    text = [*range(FIRST, FIRST + 40), END]
    batch = windows(text * 2, rows=500)
    kinds, cuts = [], []
    for row in range(500):
        laid = Middle(0.5, 0.3, PREFIX, SUFFIX, MIDDLE)(batch, row).tolist()
        document, kind = plain(laid[: laid.index(END)])
        assert document == text[:-1]
        kinds.append(kind)
        if kind == "psm":
            cuts.append(laid.index(SUFFIX) - 1)
    assert kinds.count("") / 500 == pytest.approx(0.5, abs=0.06)
    assert kinds.count("spm") / 500 == pytest.approx(0.5 * 0.3, abs=0.05)
    assert np.mean(cuts) == pytest.approx(40 / 3, abs=1.5)  # the lower of two uniform places


def test_training_batches_are_rearranged_and_validation_is_not() -> None:
    batch = windows(np.arange(FIRST, FIRST + 33), rows=5)
    objective = MiddleText(Middle(1.0, 0.5, PREFIX, SUFFIX, MIDDLE), END)
    made = objective.batches(batch, 2)
    assert [len(part.inputs) for part in made] == [2, 2, 1]
    assert all(row[0] == PREFIX for part in made for row in part.inputs.tolist())
    assert all(part.counts == {"causal": len(part.inputs) * 32} for part in made)
    assert objective.covers_text
