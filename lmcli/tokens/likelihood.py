"""Chooses the pieces of a Unigram vocabulary: start from frequent substrings, drop those that are missed least.

The method is that of Kudo (2018), "Subword Regularization", section 3.2, with two changes that make it exact: the most
likely cut of a word stands for all of its cuts, and costs are whole numbers (1/4096 bit). The trainer of `tokenizers`
adds up probabilities in the order of a hash map, so that no two runs of it agree.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from lmcli.tokens.lattice import LONGEST_PIECE, Ints, Lattice, Words

UNIT = 4096
"""Costs in one bit."""
KEPT = 0.75
"""The share of the pieces that a round keeps, as in SentencePiece."""
ROUNDS_OF_COUNTING = 2

_BYTES = [bytes([value]) for value in range(256)]


def choose_pieces(counts: Mapping[bytes, int], wanted: int, min_frequency: int, seeds: int) -> dict[bytes, float]:
    """At most `wanted` pieces, all 256 bytes among them, with the natural logarithm of the probability of each.

    `counts` says how often each word occurs. Pieces come in the order of bytes, then from the most likely to the least.
    Longer pieces are whole characters of UTF-8, at most 16 bytes, that occur `min_frequency` times; the search begins
    with `seeds` of them.
    """
    ordered = sorted(counts)
    words = Words(ordered)
    weights = np.array([counts[word] for word in ordered], dtype=np.int64)
    pieces, occurrences = _seeds(words, weights, min_frequency, seeds)
    lattice, costs = Lattice(words, pieces), _costs(occurrences)
    without = _Without(pieces)
    while True:
        for _ in range(ROUNDS_OF_COUNTING):
            used = lattice.counts(lattice.cheapest(costs)[1], weights, len(pieces))
            costs = _costs(used)
        if len(pieces) <= wanted:
            break
        kept = without.missed_most(used, costs, max(wanted, int(KEPT * len(pieces))))
        new = np.full(len(pieces), -1, dtype=np.int64)
        new[kept] = np.arange(len(kept))
        lattice.keep(new)
        without.keep(new)
        pieces, costs = [pieces[place] for place in kept], costs[kept]
    order = sorted(range(256, len(pieces)), key=lambda place: (costs[place], pieces[place]))
    return {pieces[place]: round(-int(costs[place]) / UNIT * math.log(2), 6) for place in [*range(256), *order]}


def _seeds(words: Words, weights: Ints, min_frequency: int, seeds: int) -> tuple[list[bytes], Ints]:
    """The bytes, and the substrings that cover most of the text, each with its number of occurrences."""
    singles = np.zeros(256, dtype=np.int64)
    np.add.at(singles, words.bytes, weights[words.word])
    found: list[tuple[int, bytes, int]] = []
    for length in range(2, LONGEST_PIECE + 1):
        places, hashes = words.substrings(length, whole_characters=True)
        _, first, member = np.unique(hashes, return_index=True, return_inverse=True)
        total = np.zeros(len(first), dtype=np.int64)
        np.add.at(total, member, weights[words.word[places]])
        covered = np.where(total >= min_frequency, total * length, 0)
        best = np.argsort(-covered, kind="stable")[:seeds]
        for place in best[covered[best] > 0]:
            start = int(places[first[place]])
            found.append((int(covered[place]), words.bytes[start : start + length].tobytes(), int(total[place])))
    found.sort(key=lambda item: (-item[0], item[1]))
    pieces = [piece for _, piece, _ in found[:seeds]]
    return [*_BYTES, *pieces], np.array([*singles, *(total for _, _, total in found[:seeds])], dtype=np.int64)


def _costs(used: Ints) -> Ints:
    """-log2 of each piece's share of all uses; one that was never used costs as much as half a use."""
    share = np.maximum(used, 0.5) / max(1, int(used.sum()))
    costs: Ints = np.rint(-np.log2(share) * UNIT).astype(np.int64).clip(0)
    return costs


class _Without:
    """What each piece of several bytes would cost if the others had to spell it."""

    def __init__(self, pieces: Sequence[bytes]) -> None:
        self._lattice = Lattice(Words(pieces[256:]), pieces, whole=False)
        self._left = np.arange(len(pieces) - 256)
        """The places, among those that it began with, of the pieces that are left."""

    def missed_most(self, used: Ints, costs: Ints, count: int) -> Ints:
        """The bytes and the pieces without which the text would cost most more, `count` in all, in their old order."""
        instead = self._lattice.cheapest(costs)[0][self._left]
        loss = used[256:] * (instead - costs[256:])
        order = np.argsort(-loss, kind="stable")[: count - 256]
        return np.concatenate([np.arange(256), np.sort(order) + 256])

    def keep(self, new: Ints) -> None:
        """Go on without the pieces whose new number is -1."""
        self._lattice.keep(new)
        self._left = self._left[new[256:] >= 0]
