"""MinHash signatures: documents whose sets of word runs overlap much share a bucket (Broder 1997).

A document's signature is one 64-bit key for each bucket; a key stands for `hashes` minima. Two documents with Jaccard
similarity s share a bucket with probability 1 - (1 - s^hashes)^buckets: with 14 buckets of 8 that is 92 % at s = 0.8
and 5 % at s = 0.5.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lmcli.corpus.ngrams import Hashes, hashes, mix, ngrams
from lmcli.corpus.words import folded_words

_BLOCK = 2048  # word runs hashed at a time: the table of products stays in the cache


@dataclass(frozen=True)
class MinHash:
    """How signatures are made: runs of `ngram` words (characters in scripts without spaces), `buckets` x `hashes`."""

    ngram: int = 5
    buckets: int = 14
    hashes: int = 8
    seed: int = 1

    def signature(self, text: str) -> Hashes | None:
        """(buckets,) keys, or None for a text of fewer than `ngram` words, which is no near duplicate of anything."""
        runs = ngrams(hashes(folded_words(text)), self.ngram)
        if not len(runs):
            return None
        minima = self._minima((runs >> np.uint64(32)).astype(np.uint32)).astype(np.uint64)
        rows = minima.reshape(self.buckets, self.hashes)
        keys = np.zeros(self.buckets, dtype=np.uint64)
        for column in rows.T:
            keys = mix(keys ^ column)
        return keys

    def _minima(self, runs: npt.NDArray[np.uint32]) -> npt.NDArray[np.uint32]:
        """(buckets * hashes,) the smallest value of each hash function h -> a h + b modulo 2^32 over `runs`."""
        factors, terms = _functions(self.buckets * self.hashes, self.seed)
        minima = np.full(len(factors), np.iinfo(np.uint32).max, dtype=np.uint32)
        for start in range(0, len(runs), _BLOCK):
            values = factors * runs[start : start + _BLOCK]
            values += terms
            np.minimum(minima, values.min(axis=1), out=minima)
        return minima


@functools.cache
def _functions(count: int, seed: int) -> tuple[npt.NDArray[np.uint32], npt.NDArray[np.uint32]]:
    """(count, 1) odd factors and (count, 1) terms; Philox gives the same numbers on every machine."""
    chance = np.random.Generator(np.random.Philox(seed))
    factors = chance.integers(0, 1 << 31, size=(count, 1), dtype=np.uint32) * np.uint32(2) + np.uint32(1)
    return factors, chance.integers(0, 1 << 32, size=(count, 1), dtype=np.uint32)


def similarity(left: str, right: str, ngram: int = 5) -> float:
    """The Jaccard similarity that signatures estimate: shared word runs over all word runs; 0 where one has none."""
    a, b = (set(ngrams(hashes(folded_words(text)), ngram).tolist()) for text in (left, right))
    return len(a & b) / len(a | b) if a and b else 0.0
