from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcli.corpus.ngrams import hashes, longer, mix, ngrams
from tests.processes import printed_with_hash_seeds

WORDS = st.lists(st.sampled_from(["a", "b", "ab", "the", "中", "文", "\ud800"]), max_size=30)


@given(WORDS, st.integers(1, 12))
def test_a_run_has_the_hash_it_has_on_its_own(words: list[str], n: int) -> None:
    whole = ngrams(hashes(words), n)
    windows = [words[place : place + n] for place in range(len(words) - n + 1)]
    assert whole.tolist() == [int(ngrams(hashes(window), n)[0]) for window in windows]


@given(WORDS, st.integers(1, 6))
def test_runs_are_equal_where_their_hashes_are(words: list[str], n: int) -> None:
    runs = [tuple(words[place : place + n]) for place in range(len(words) - n + 1)]
    assert len(set(ngrams(hashes(words), n).tolist())) == len(set(runs))


def test_order_and_borders_of_words_count() -> None:
    pairs = [["ab", "c"], ["a", "bc"], ["c", "ab"], ["abc", ""]]
    assert len({int(ngrams(hashes(pair), 2)[0]) for pair in pairs}) == 4


@pytest.mark.parametrize("n", [1, 4, 5, 9])
def test_a_run_grows_by_a_word(n: int) -> None:
    words = hashes("one two three four five six seven eight nine ten".split())
    runs = words
    for length in range(1, n):
        runs = longer(runs, words[length:])
    assert np.array_equal(mix(runs), ngrams(words, n))


@pytest.mark.parametrize("words", [[], ["one"], ["one", "two"]])
def test_fewer_words_than_a_run_has(words: list[str]) -> None:
    assert ngrams(hashes(words), 3).tolist() == []
    assert ngrams(hashes(words), 3).dtype == np.uint64


def test_mixing_is_one_to_one_and_leaves_its_argument() -> None:
    values = np.arange(100_000, dtype=np.uint64)
    mixed = mix(values)
    assert len(np.unique(mixed)) == len(values)
    assert np.array_equal(values, np.arange(100_000, dtype=np.uint64))
    bits = np.unpackbits(mixed.view(np.uint8)).reshape(len(values), 64).mean(axis=0)
    assert 0.49 < bits.min() <= bits.max() < 0.51


def test_hashes_are_the_same_in_every_process() -> None:
    script = (
        "from lmcli.corpus.ngrams import hashes, ngrams; from lmcli.corpus.words import tokens;"
        "print(ngrams(hashes(tokens('one two, 三四 don\\'t stop')), 2).tolist())"
    )
    printed = printed_with_hash_seeds(script)
    assert len(printed) == 1
    assert printed.pop().count(",") == 5
