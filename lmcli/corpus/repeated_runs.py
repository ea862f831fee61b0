"""Runs of words (n-grams) that occur more than once in a text, and how much of it they take up."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lmcli.corpus.ngrams import Hashes, longer, mix, ngrams

Places = npt.NDArray[np.int64]


class RepeatedRuns:
    """The runs of `n` words that occur more than once, for growing `n`.

    A run of n + 1 words can only be repeated where its first n words are, so each step looks at fewer places. Words
    are given by their hashes and their numbers of characters.
    """

    def __init__(self, hashes: Hashes, lengths: Places, n: int) -> None:
        self.n = n
        self._words = hashes
        self._characters = np.zeros(len(hashes) + 1, dtype=np.int64)
        np.cumsum(lengths, out=self._characters[1:])
        self._bits = np.uint64(max(1, len(hashes).bit_length()))
        runs = ngrams(hashes, n)
        self._find(np.arange(len(runs), dtype=np.int64), runs)

    def grow(self, n: int) -> None:
        """Goes on to runs of `n` words, which may not be fewer than before."""
        while self.n < n:
            possible = self._places < len(self._words) - self.n
            places, runs = self._places[possible], self._runs[possible]
            runs = longer(runs, self._words.take(places + self.n))
            self.n += 1
            self._find(places, mix(runs))

    def _find(self, places: Places, runs: Hashes) -> None:
        """Keeps the places whose run occurs more than once, those of one run together and in order.

        One sort of numbers that hold some 50 bits of a run's hash and its place does the work of a sort and a
        permutation; those bits stand for the run from here on.
        """
        low = (np.uint64(1) << self._bits) - np.uint64(1)
        packed = runs & ~low
        packed |= places.view(np.uint64)
        packed.sort()
        found = packed >> self._bits
        again = np.zeros(len(found) + 1, dtype=bool)  # with a place behind the last
        np.equal(found[1:], found[:-1], out=again[1:-1])
        repeated = again[:-1] | again[1:]
        self._places = (packed[repeated] & low).view(np.int64)
        self._runs = found[repeated]
        self._again = again[:-1][repeated]

    def _length(self, place: int, n: int) -> int:
        return int(self._characters[place + n] - self._characters[place])

    def top(self) -> tuple[int, int]:
        """(characters, occurrences) of the run that occurs most often, the earliest of several; (0, 0) without any."""
        count = len(self._words) - self.n + 1
        if count <= 0:
            return 0, 0
        if not len(self._places):
            return self._length(0, self.n), 1
        firsts = np.flatnonzero(~self._again)
        counts = np.diff(firsts, append=len(self._again))
        most = int(counts.max())
        return self._length(int(self._places[firsts[counts == most]].min()), self.n), most

    def bound(self) -> int:
        """At least as many characters as `repeated` will ever count from this `n` on.

        They are those of all words within a run that has occurred before, which become fewer as `n` grows.
        """
        if not len(self._places):
            return 0
        later = self._places[self._again]
        edges = np.zeros(len(self._words) + 1, dtype=np.int64)
        edges[later] += 1  # a place is in there once
        edges[later + self.n] -= 1
        covered = np.cumsum(edges[:-1]) > 0
        return int(np.diff(self._characters)[covered].sum())

    def repeated(self) -> int:
        """Characters in runs that have occurred before, reading from the start and going on behind each such run.

        This is the count of duplicate n-grams in Rae et al. 2021: overlapping runs count once.
        """
        order = np.argsort(self._places)
        known: set[int] = set()
        total = after = 0
        for place, run in zip(self._places[order].tolist(), self._runs[order].tolist(), strict=True):
            if place < after:
                continue
            if run in known:
                total += self._length(place, self.n)
                after = place + self.n
            else:
                known.add(run)
        return total
