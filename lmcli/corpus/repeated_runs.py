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
        self._lengths = lengths
        self._before = np.zeros(len(lengths) + 1, dtype=np.int64)  # characters of the words before each place
        np.cumsum(lengths, out=self._before[1:])
        self._bits = np.uint64(len(hashes).bit_length())
        runs = ngrams(hashes, n)
        self._find(np.arange(len(runs), dtype=np.int64), runs)

    def grow(self, n: int) -> None:
        """Goes on to runs of `n` words, which may not be fewer than before."""
        if n > self.n:
            possible = (self._places < len(self._words) - n + 1).nonzero()[0]
            places, runs = self._places.take(possible), self._runs.take(possible)
            for following in range(self.n, n):
                runs = longer(runs, self._words.take(places + following))
            self.n = n
            self._find(places, mix(runs))

    def _find(self, places: Places, runs: Hashes) -> None:
        """Keeps the places whose run occurs more than once, those of one run together and in order.

        One sort of numbers that hold some 50 bits of a run's hash and its place does the work of a sort and a
        permutation; those bits stand for the run from here on.
        """
        packed = (runs >> self._bits) << self._bits
        packed |= places.view(np.uint64)
        packed.sort()
        runs = packed >> self._bits
        again = np.zeros(len(runs) + 1, dtype=bool)  # equal to the one before; with one behind the last
        np.equal(runs[1:], runs[:-1], out=again[1:-1])
        kept = (again[:-1] | again[1:]).nonzero()[0]
        self._runs = runs.take(kept)
        self._places = (packed.take(kept) ^ (self._runs << self._bits)).view(np.int64)
        self._again = again.take(kept)

    def top(self) -> tuple[int, int]:
        """(characters, occurrences) of the run that occurs most often, the earliest of several; (0, 0) without any."""
        if len(self._words) < self.n:
            return 0, 0
        place, count = 0, 1
        if len(self._places):
            firsts = (~self._again).nonzero()[0]
            ends = np.append(firsts[1:], len(self._again))
            counts = ends - firsts
            count = int(counts.max())
            place = int(self._places[firsts[counts == count]].min())
        return int(self._before[place + self.n] - self._before[place]), count

    def bound(self) -> int:
        """At least as many characters as `repeated` will ever count from this `n` on.

        They are those of all words within a run that has occurred before, which become fewer as `n` grows.
        """
        later = self._places[self._again]
        if not len(later):
            return 0
        edges = np.zeros(len(self._before), dtype=np.int8)
        edges[later] = 1  # each place is in there once, and so is each end
        edges[later + self.n] -= 1
        inside = np.cumsum(edges[:-1], dtype=np.int64) > 0
        return int(np.dot(self._lengths, inside))

    def repeated(self) -> int:
        """Characters in runs that have occurred before, reading from the start and going on behind each such run.

        This is the count of duplicate n-grams in Rae et al. 2021: overlapping runs count once.
        """
        order = np.argsort(self._places)
        places = self._places.take(order)
        lengths = self._before.take(places + self.n) - self._before.take(places)
        known: set[int] = set()
        total = after = 0
        for place, run, length in zip(places.tolist(), self._runs.take(order).tolist(), lengths.tolist(), strict=True):
            if place < after:
                continue
            if run in known:
                total += length
                after = place + self.n
            else:
                known.add(run)
        return total
