"""MinHash signatures: documents whose sets of word runs overlap much share a bucket (Broder 1997).

A document's signature is one 64-bit key for each bucket; a key stands for `hashes` minima. Two documents with Jaccard
similarity s share a bucket with probability 1 - (1 - s^hashes)^buckets: with 14 buckets of 8 that is 92 % at s = 0.8
and 5 % at s = 0.5.

Runs are hashed and permuted with the functions of datatrove 0.10, so that both find the same pairs of documents.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xxhash

from lmcli.corpus.ngrams import Hashes, mix
from lmcli.corpus.words import folded_words

_BLOCK = 1024  # word runs hashed at a time: the table of products stays in the cache
_MODULUS = np.uint64((1 << 61) - 1)


@dataclass(frozen=True)
class MinHash:
    """How signatures are made: runs of `ngram` words (characters in scripts without spaces), `buckets` x `hashes`."""

    ngram: int = 5
    buckets: int = 14
    hashes: int = 8
    seed: int = 1

    def signature(self, text: str) -> Hashes | None:
        """(buckets,) keys, or None for a text of fewer than `ngram` words, which is no near duplicate of anything."""
        runs = word_runs(folded_words(text), self.ngram)
        if not len(runs):
            return None
        rows = self._minima(runs).reshape(self.buckets, self.hashes)
        return mix((rows * _weights(self.hashes)).sum(axis=1, dtype=np.uint64))

    def _minima(self, runs: Hashes) -> Hashes:
        """(buckets * hashes,) the smallest value of each permutation h -> a h + b over `runs`.

        The order is that modulo 2^61 - 1. As x = 2^61 q + r is q + r in that modulus, and q is 7 at most, the last 61
        bits have their minimum at the same run, but for differences that occur once in 10^13 documents.
        """
        factors, terms = _permutations(self.buckets * self.hashes, self.seed)
        minima = np.full(len(factors), np.iinfo(np.uint64).max, dtype=np.uint64)
        for start in range(0, len(runs), _BLOCK):
            values = factors * runs[start : start + _BLOCK]
            values += terms
            values &= _MODULUS
            np.minimum(minima, values.min(axis=1), out=minima)
        return minima


@functools.cache
def _permutations(count: int, seed: int) -> tuple[Hashes, Hashes]:
    """(count, 1) factors and (count, 1) terms. RandomState gives the same numbers in every version of numpy."""
    chance = np.random.RandomState(seed)
    factors: Hashes = chance.randint(1, _MODULUS, dtype=np.uint64, size=(1, count))
    terms: Hashes = chance.randint(0, _MODULUS, dtype=np.uint64, size=(1, count))
    return factors.T.copy(), terms.T.copy()


@functools.cache
def _weights(count: int) -> Hashes:
    """(count,) odd numbers: a sum with these weights modulo 2^64 is the same for other minima once in 2^64 times."""
    found: Hashes = np.random.RandomState(0).randint(0, 1 << 63, dtype=np.uint64, size=count) * np.uint64(2)
    return found + np.uint64(1)


def word_runs(words: Sequence[str], n: int) -> Hashes:
    """(len(words) - n + 1,) the XXH64 of each run of n words, joined by spaces."""
    count = len(words) - n + 1
    if count <= 0:
        return np.empty(0, dtype=np.uint64)
    joined = " ".join(words).encode("utf-8", "surrogatepass")
    spaces = np.flatnonzero(np.frombuffer(joined, dtype=np.uint8) == ord(" "))
    starts = [0, *(spaces[: count - 1] + 1).tolist()]
    ends = [*spaces[n - 1 :].tolist(), len(joined)]
    runs = map(joined.__getitem__, map(slice, starts, ends))
    return np.fromiter(map(xxhash.xxh64_intdigest, runs), dtype=np.uint64, count=count)


def similarity(left: str, right: str, ngram: int = 5) -> float:
    """The Jaccard similarity that signatures estimate: shared word runs over all word runs; 0 where one has none."""
    a, b = (set(word_runs(folded_words(text), ngram).tolist()) for text in (left, right))
    return len(a & b) / len(a | b) if a and b else 0.0
