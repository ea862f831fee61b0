"""The cheapest way to cut many words into pieces, for all of them at once (Viterbi), in whole numbers.

Costs are integers, so the same words and costs give the same cut on every machine, whatever its rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Small = npt.NDArray[np.int32]
Hashes = npt.NDArray[np.uint64]

LONGEST_PIECE = 16
"""Bytes: five Chinese characters."""

_BASE = np.uint64(0x9E3779B97F4A7C15)  # 2^64 / golden ratio, odd: a multiplicative hash
_FAR = np.int64(1) << 60


class Words:
    """Words as one row of bytes. A place is a byte's; word w that begins at place s has its nodes from s + w on."""

    def __init__(self, words: Sequence[bytes]) -> None:
        self.count = len(words)
        self.bytes = np.frombuffer(b"".join(words), dtype=np.uint8)
        lengths = np.array([len(word) for word in words], dtype=np.int64)
        self.starts = np.cumsum(lengths) - lengths
        self.word = np.repeat(np.arange(self.count), lengths)
        self.local = np.arange(len(self.bytes)) - self.starts[self.word]
        self.left = lengths[self.word] - self.local
        """Bytes from each place to the end of its word, its own included."""
        self.first_node = self.starts + np.arange(self.count)
        self.last_node = self.first_node + lengths

    def substrings(self, length: int, *, whole_characters: bool) -> tuple[Ints, Hashes]:
        """The places where a substring of so many bytes begins, and the hash of each.

        With `whole_characters` only those that begin and end between characters of UTF-8.
        """
        fits = self.left >= length
        if whole_characters:
            inside = (self.bytes & 0xC0) == 0x80
            ends_inside = np.append(inside, False)[np.minimum(np.arange(len(inside)) + length, len(inside))]
            fits &= ~inside & (~ends_inside | (self.left == length))
        places = np.flatnonzero(fits)
        hashes = np.zeros(len(places), dtype=np.uint64)
        for offset in range(length):
            hashes = (hashes ^ self.bytes[places + offset].astype(np.uint64)) * _BASE
            hashes ^= hashes >> np.uint64(29)
        return places, hashes


class Lattice:
    """All the places in words where pieces fit. Every single byte has to be a piece."""

    def __init__(self, words: Words, pieces: Sequence[bytes], *, whole: bool = True) -> None:
        """Without `whole` no word is cut into one piece only (single bytes excepted)."""
        self._words = words
        found = [self._fitting(length, pieces, whole) for length in range(1, LONGEST_PIECE + 1)]
        places, lengths, chosen = (np.concatenate(column) for column in zip(*found, strict=True))
        start = (places + words.word[places]).astype(np.int32)
        end, depth = start + lengths, (words.local[places] + lengths).astype(np.int32)
        order = np.lexsort((chosen, end, depth))
        self._start, self._end, self._depth, self._piece = start[order], end[order], depth[order], chosen[order]
        self._group()

    def keep(self, new: Ints) -> None:
        """Go on with fewer pieces: `new` gives each its new number, in the same order, or -1 where it is dropped."""
        piece = new[self._piece].astype(np.int32)
        kept = piece >= 0
        self._start, self._end, self._depth = self._start[kept], self._end[kept], self._depth[kept]
        self._piece = piece[kept]
        self._group()

    def _group(self) -> None:
        """Find where the edges to each node begin, and the nodes of each distance from the start of a word."""
        firsts = np.flatnonzero(np.diff(self._end, prepend=-1))
        self._firsts, self._ends = firsts, self._end[firsts]
        deepest = int(self._depth.max(initial=0))
        self._levels = np.searchsorted(self._depth[firsts], np.arange(1, deepest + 2))

    def _fitting(self, length: int, pieces: Sequence[bytes], whole: bool) -> tuple[Ints, Small, Small]:
        """Places, lengths and pieces of one length."""
        ids = np.array([place for place, piece in enumerate(pieces) if len(piece) == length], dtype=np.int32)
        places, hashes = self._words.substrings(length, whole_characters=length > 1)
        if not len(ids):
            return places[:0], ids, ids
        keys = Words([pieces[place] for place in ids]).substrings(length, whole_characters=False)[1]
        order = np.argsort(keys, kind="stable")
        at = np.minimum(np.searchsorted(keys[order], hashes), len(keys) - 1)
        fits = keys[order][at] == hashes
        if not whole and length > 1:
            fits &= (self._words.local[places] > 0) | (self._words.left[places] > length)
        return places[fits], np.full(int(fits.sum()), length, dtype=np.int32), ids[order][at[fits]]

    def cheapest(self, costs: Ints) -> tuple[Ints, Ints]:
        """The cost of each word's best cut, and for each node the place in the lattice that leads to it best.

        Of cuts that cost the same the one with the smallest last piece is taken.
        """
        words = self._words
        nodes = len(words.bytes) + words.count
        best = np.full(nodes, _FAR)
        best[words.first_node] = 0
        back = np.full(nodes, -1, dtype=np.int64)
        bounds = np.append(self._firsts, len(self._start))
        for low, high in zip(self._levels[:-1], self._levels[1:], strict=True):
            if low == high:
                continue
            span = slice(bounds[low], bounds[high])
            total = best[self._start[span]] + costs[self._piece[span]]
            groups = bounds[low:high] - bounds[low]
            least = np.minimum.reduceat(total, groups)
            sizes = np.diff(bounds[low : high + 1])
            is_least = total == np.repeat(least, sizes)
            index = np.where(is_least, np.arange(len(total)), len(total))
            best[self._ends[low:high]] = least
            back[self._ends[low:high]] = np.minimum.reduceat(index, groups) + bounds[low]
        return best[words.last_node], back

    def counts(self, back: Ints, weights: Ints, pieces: int) -> Ints:
        """How often each piece stands in the best cuts of all words, each word `weights` times."""
        total = np.zeros(pieces, dtype=np.int64)
        node, weight = self._words.last_node, weights
        while len(node):
            edge = back[node]
            node, weight, edge = node[edge >= 0], weight[edge >= 0], edge[edge >= 0]
            np.add.at(total, self._piece[edge], weight)
            node = self._start[edge]
        return total
