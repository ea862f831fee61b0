from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.corpus.ngrams import hashes
from lmcli.corpus.repeated_runs import RepeatedRuns

ALPHABET = ["a", "bb", "ccc", "dddd"]
WORDS = st.integers(1, 4).flatmap(lambda size: st.lists(st.sampled_from(ALPHABET[:size]), max_size=40))


def runs_of(words: list[str], n: int) -> RepeatedRuns:
    return RepeatedRuns(hashes(words), np.array([len(word) for word in words], dtype=np.int64), n)


def naive_repeated(words: list[str], n: int) -> int:
    """Characters in runs that were there before, by the definition."""
    seen: set[tuple[str, ...]] = set()
    place = total = 0
    while place <= len(words) - n:
        run = tuple(words[place : place + n])
        if run in seen:
            total += sum(map(len, run))
            place += n
        else:
            seen.add(run)
            place += 1
    return total


def naive_top(words: list[str], n: int) -> tuple[int, int]:
    counts = Counter(tuple(words[place : place + n]) for place in range(len(words) - n + 1))
    if not counts:
        return 0, 0
    run, count = counts.most_common(1)[0]
    return sum(map(len, run)), count


@given(WORDS, st.integers(1, 3))
@settings(max_examples=300)
def test_counts_equal_those_of_the_definition(words: list[str], first: int) -> None:
    runs = runs_of(words, first)
    bound = None
    for n in range(first, 12):
        runs.grow(n)
        assert runs.n == n
        assert runs.top() == naive_top(words, n)
        assert runs.repeated() == naive_repeated(words, n) <= runs.bound()
        assert bound is None or runs.bound() <= bound
        bound = runs.bound()


def test_growing_by_several_words_at_once() -> None:
    words = random.Random(0).choices(ALPHABET, k=400)
    runs = runs_of(words, 2)
    for n in (4, 10):
        runs.grow(n)
        assert (runs.top(), runs.repeated()) == (naive_top(words, n), naive_repeated(words, n))


@pytest.mark.parametrize(
    ("words", "n", "repeated", "top"),
    [
        ([], 2, 0, (0, 0)),
        (["a"], 2, 0, (0, 0)),
        (["a", "bb"], 2, 0, (3, 1)),
        (["a"] * 6, 2, 4, (2, 5)),  # a a | a a | a a: the runs at 1 and 3; overlapping runs count for the top
        (["a", "bb", "ccc", "a", "bb", "ccc"], 3, 6, (6, 2)),
        (["a", "b", "c", "b", "c", "d", "a", "b"], 2, 4, (2, 2)),  # the first of equals: a b, then b c
    ],
)
def test_examples(words: list[str], n: int, repeated: int, top: tuple[int, int]) -> None:
    runs = runs_of(words, n)
    assert runs.repeated() == repeated
    assert runs.top() == top


def test_words_that_run_together_are_different_runs() -> None:
    assert runs_of(["ab", "c", "x", "a", "bc"], 2).repeated() == 0
