from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
import xxhash
from hypothesis import given
from hypothesis import strategies as st

from lmcli.corpus import signatures
from lmcli.corpus.signatures import MinHash, similarity, word_runs
from tests.processes import printed_with_hash_seeds

WORDS = [f"{first}{second}{third}" for first in "bdgklmnprst" for second in "aeiou" for third in ("", "n", "s", "rt")]
HAN = [chr(0x4E00 + number * 7) for number in range(600)]


def edited(words: list[str], edits: int, chance: random.Random, vocabulary: list[str]) -> list[str]:
    copy = list(words)
    for _ in range(edits):
        copy[chance.randrange(len(copy))] = chance.choice(vocabulary)
    return copy


def family(chance: random.Random, vocabulary: list[str], join: str) -> list[str]:
    """A text and four copies of it, each with more words replaced."""
    words = chance.choices(vocabulary, k=chance.choice([80, 200, 500]))
    return [join.join(edited(words, len(words) * edits // 200, chance, vocabulary)) for edits in (0, 1, 3, 8, 20)]


def runs_of(text: str, join: str) -> set[tuple[str, ...]]:
    """The set that signatures stand for, by its definition."""
    words = text.split() if join else list(text)
    return {tuple(words[place : place + 5]) for place in range(len(words) - 4)}


def jaccard(left: set[tuple[str, ...]], right: set[tuple[str, ...]]) -> float:
    return len(left & right) / len(left | right)


@pytest.mark.parametrize(("vocabulary", "join"), [(WORDS, " "), (HAN, "")])
def test_shared_buckets_against_the_similarity_of_all_pairs(vocabulary: list[str], join: str) -> None:
    chance = random.Random(0)
    texts = [text for _ in range(40) for text in family(chance, vocabulary, join)]
    signatures = [MinHash().signature(text) for text in texts]
    pairs = list(itertools.combinations(range(len(texts)), 2))
    runs = [runs_of(text, join) for text in texts]
    true = np.array([jaccard(runs[a], runs[b]) for a, b in pairs])
    assert similarity(texts[0], texts[2]) == jaccard(runs[0], runs[2])
    shared = np.array([bool((signatures[a] == signatures[b]).any()) for a, b in pairs])
    recall = shared[true >= 0.85].mean()
    precision = (true[shared] >= 0.5).mean()
    assert (true >= 0.85).sum() > 60
    assert recall > 0.97
    assert precision > 0.95
    expected = (1 - (1 - true**8) ** 14).sum()
    assert shared.sum() == pytest.approx(expected, rel=0.08)


def test_more_buckets_find_more_and_more_hashes_find_less() -> None:
    chance = random.Random(1)
    pairs = [(family(chance, WORDS, " ")[0], family(chance, WORDS, " ")[0]) for _ in range(2)]
    pairs += [(texts[0], texts[3]) for texts in (family(chance, WORDS, " ") for _ in range(60))]

    def found(near: MinHash) -> int:
        return sum(bool((near.signature(left) == near.signature(right)).any()) for left, right in pairs)

    assert found(MinHash(buckets=40, hashes=4)) > found(MinHash()) > found(MinHash(buckets=4, hashes=20))


def test_form_does_not_count() -> None:
    near = MinHash()
    text = "The Café opened at 10:45, and nobody — nobody! — came in before noon on that day."
    same = "the cafe opened at 93:11 and nobody nobody came in before NOON on that day"
    assert np.array_equal(near.signature(text), near.signature(same))


@pytest.mark.parametrize("text", ["", "  \n", "four words are few", "。！？", "四个汉字"])
def test_a_text_of_few_words_has_no_signature(text: str) -> None:
    assert MinHash().signature(text) is None


@given(st.text(max_size=300))
def test_any_text_has_one_signature(text: str) -> None:
    first, second = MinHash().signature(text), MinHash().signature(text)
    assert (first is None and second is None) or np.array_equal(first, second)


def test_a_long_text_is_hashed_in_blocks_with_the_same_result() -> None:
    words = random.Random(2).choices(WORDS, k=9000)
    near = MinHash()
    whole = near.signature(" ".join(words))
    parts = [near._minima(word_runs(words[start : start + 4000], 5)) for start in range(0, 9000, 3900)]
    assert whole is not None
    assert np.array_equal(np.min(parts, axis=0), near._minima(word_runs(words, 5)))


@given(st.lists(st.text("abé我", min_size=1, max_size=3), max_size=12), st.integers(1, 6))
def test_a_run_is_hashed_as_its_words_joined_by_spaces(words: list[str], n: int) -> None:
    expected = [
        xxhash.xxh64_intdigest(" ".join(words[place : place + n]).encode()) for place in range(len(words) - n + 1)
    ]
    assert word_runs(words, n).tolist() == expected


def test_minima_are_those_of_the_modulus() -> None:
    """The definition, in Python's integers: min over runs of (a h + b mod 2^64) mod 2^61 - 1."""
    near = MinHash(buckets=3, hashes=2)
    runs = word_runs(random.Random(3).choices(WORDS, k=200), 5)
    factors, terms = (column.ravel().tolist() for column in signatures._permutations(6, 1))
    modulus = (1 << 61) - 1
    for a, b, found in zip(factors, terms, near._minima(runs).tolist(), strict=True):
        sums = [(a * run + b) % (1 << 64) for run in runs.tolist()]
        assert min(sums, key=lambda value: value % modulus) & modulus == found


def test_signatures_are_the_same_in_every_process() -> None:
    script = (
        "from lmcli.corpus.signatures import MinHash; print(MinHash().signature('one two three 四五六 seven').tolist())"
    )
    printed = printed_with_hash_seeds(script)
    assert len(printed) == 1
