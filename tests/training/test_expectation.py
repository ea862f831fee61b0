from __future__ import annotations

import itertools
import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcli.training.expectation import BAND, Text, compressed_bits, english, expected, unigram_bits

TEXT = Text(tokens=1_000_000, text_bytes=3_400_000, vocab_size=4096, unigram=2.7, compressed=2.3)


@given(weights=st.integers(10**4, 10**9), seen=st.integers(10**4, 10**9), factor=st.floats(1.1, 100))
def test_more_weights_and_more_text_never_make_it_worse(weights: int, seen: int, factor: float) -> None:
    band = expected(weights, seen, TEXT)
    assert 0 < band.low < band.middle <= band.high
    assert expected(round(weights * factor), seen, TEXT).middle <= band.middle
    assert expected(weights, round(seen * factor), TEXT).middle <= band.middle


def test_it_is_never_worse_than_guessing() -> None:
    band = expected(10**4, 1, TEXT)
    assert band.middle == band.high == math.log2(4096) / 3.4
    assert band.low == pytest.approx((1 - BAND) * band.middle)


def test_further_passes_are_worth_less_and_less() -> None:
    gains = [expected(10**7, n * TEXT.tokens, TEXT).middle for n in (1, 2, 3, 4, 5)]
    steps = [before - after for before, after in itertools.pairwise(gains)]
    assert steps == sorted(steps, reverse=True)
    assert expected(10**7, 10_000 * TEXT.tokens, TEXT) == expected(10**7, 20_000 * TEXT.tokens, TEXT)


def test_the_compressor_tells_easy_text_from_hard_text() -> None:
    noise = random.Random(0).randbytes(100_000)
    prose = "".join(random.Random(0).choices("the cat sat on a mat. ", k=100_000)).encode()
    assert compressed_bits(bytes(100_000)) < 0.1
    assert 2 < compressed_bits(prose) < 4.5
    assert compressed_bits(noise) == pytest.approx(8, abs=0.1)


def test_frequencies_cost_their_entropy() -> None:
    assert unigram_bits(np.array([0, 1, 2, 3] * 10), 40.0) == pytest.approx(2)
    assert unigram_bits(np.array([0, 1, 2, 3] * 10), 80.0) == pytest.approx(1)
    assert unigram_bits(np.array([5] * 10), 10.0) == 0
    assert unigram_bits(np.zeros(0, dtype=np.int64), 0.0) == 0


def test_english_has_longer_tokens_with_more_words() -> None:
    sizes = [english(1000, vocab).text_bytes for vocab in (65, 3072, 8192, 50_000)]
    assert sizes[0] == 1000
    assert sizes[1] == 3410
    assert sizes[2] == pytest.approx(3800, rel=0.01)
    assert sizes == sorted(sizes)
