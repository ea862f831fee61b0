from __future__ import annotations

import gzip
import itertools
import lzma
import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.evaluation.compression import Compressors

TEXT = "the cat sat on the mat. " * 400 + "".join(random.Random(0).choices("abc 我", k=3000))


def measured(texts: list[str], text_bytes: int | None = None) -> dict[str, float]:
    compressors = Compressors(text_bytes)
    for text in texts:
        compressors.add(text)
    return {score.name: score.value for score in compressors.scores()}


def test_the_figures_are_those_of_gzip_and_xz() -> None:
    data = TEXT.encode()
    found = measured([TEXT])
    assert found["gzip_bpb"] == pytest.approx(8 * len(gzip.compress(data, 9, mtime=0)) / len(data))
    xz = lzma.compress(data, preset=9 | lzma.PRESET_EXTREME)
    assert found["xz_bpb"] == pytest.approx(8 * len(xz) / len(data), rel=0.01)


@pytest.mark.parametrize(
    ("text", "bits"), [("abcd", 2.0), ("aaaa", 0.0), ("abababab", 1.0), ("aaab", 0.811278), ("好", math.log2(3))]
)
def test_unigram_entropy(text: str, bits: float) -> None:
    assert measured([text])["unigram_bpb"] == pytest.approx(bits, abs=1e-6)


@given(st.lists(st.integers(0, len(TEXT)), max_size=5))
@settings(deadline=None, max_examples=20)
def test_how_the_text_is_cut_changes_nothing(cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(TEXT)]
    pieces = [TEXT[start:end] for start, end in itertools.pairwise(places)]
    assert measured(pieces, len(TEXT.encode())) == measured([TEXT], len(TEXT.encode()))


def test_the_dictionary_that_fits_the_text_compresses_as_well() -> None:
    size = len(TEXT.encode())
    assert measured([TEXT], size)["xz_bpb"] == pytest.approx(measured([TEXT])["xz_bpb"], rel=0.01)


def test_nothing_has_no_figure() -> None:
    assert all(math.isnan(value) for value in measured([]).values())
    assert all(math.isnan(value) for value in measured([""]).values())


def test_a_text_is_larger_than_one_block() -> None:
    text = "0123456789abcdef" * (1 << 17)
    assert measured([text])["unigram_bpb"] == pytest.approx(4.0)
    assert measured([text], len(text))["xz_bpb"] < 0.01
