"""Words and runs of words as 64-bit numbers, the same in every process."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xxhash

Hashes = npt.NDArray[np.uint64]

_BASE = np.uint64(0x9E3779B97F4A7C15)  # odd, so that multiplying by it loses nothing modulo 2^64
_REMEMBERED = 1 << 20  # words


class _WordHashes(dict[str, int]):
    def __missing__(self, word: str) -> int:
        if len(self) >= _REMEMBERED:
            self.clear()
        value = self[word] = xxhash.xxh3_64_intdigest(word.encode("utf-8", "surrogatepass"))
        return value


_hashes = _WordHashes()


def hashes(words: Sequence[str]) -> Hashes:
    """(len(words),) the hash of each word."""
    return np.fromiter(map(_hashes.__getitem__, words), dtype=np.uint64, count=len(words))


def ngrams(word_hashes: Hashes, n: int) -> Hashes:
    """(len(word_hashes) - n + 1,) the hash of each run of n words: a polynomial in `_BASE` modulo 2^64, mixed."""
    count = len(word_hashes) - n + 1
    if count <= 0:
        return np.empty(0, dtype=np.uint64)
    runs = word_hashes
    for length in range(1, n):
        runs = longer(runs, word_hashes[length:])
    return mix(runs)


def longer(runs: Hashes, following: Hashes) -> Hashes:
    """(len(following),) the runs with one more word, not mixed yet; `following` are the words behind each."""
    value = runs[: len(following)] * _BASE
    value += following
    return value


def mix(value: Hashes) -> Hashes:
    """The finalizer of MurmurHash3, which spreads every bit over all 64; a bijection."""
    value = value ^ (value >> np.uint64(33))
    value *= np.uint64(0xFF51AFD7ED558CCD)
    value ^= value >> np.uint64(33)
    value *= np.uint64(0xC4CEB9FE1A85EC53)
    value ^= value >> np.uint64(33)
    return value
