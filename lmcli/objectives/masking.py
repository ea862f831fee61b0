"""Which tokens are hidden, and behind what: numpy only, a function of the tokens and of numbers in [0, 1)."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np
import numpy.typing as npt

from lmcli.objectives.batch import IGNORED
from lmcli.tokens.tokenizer import Tokenizer
from lmcli.tokens.window_batch import Ids
from lmcli.tokens.word_pieces import WordPieces

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]


class Draws(NamedTuple):
    """(t,) each, in [0, 1): the order in which positions are chosen, what becomes of them, and which token comes."""

    order: Numbers
    fate: Numbers
    token: Numbers

    @classmethod
    def of(cls, rng: np.random.Generator, count: int) -> Self:
        return cls(*rng.random((3, count)))

    @classmethod
    def at(cls, places: Ids, seed: int) -> Self:
        """The same numbers for the same places of a text, each time that it comes by."""
        return cls(*(_hashed(places, 3 * seed + number) for number in range(3)))


@dataclass(frozen=True)
class Masking:
    """`rate` of the positions are chosen; of these `mask_share` become `mask_id` and `random_share` a random token.

    The rest of the chosen ones stay as they are, but have to be told too. BERT's numbers are 0.15, 0.8 and 0.1 (Devlin
    et al., 2018). `ordinary` (vocab,) tells which tokens stand for text: only these are chosen, and only these come.
    With `words` all pieces of a word are chosen together.
    """

    rate: float
    mask_share: float
    random_share: float
    mask_id: int
    ordinary: Flags
    words: WordPieces | None = None

    @classmethod
    def by(
        cls, tokenizer: Tokenizer, mask_id: int, *, rate: float, mask: float, random: float, whole_words: bool
    ) -> Self:
        ordinary = np.ones(tokenizer.vocab_size, dtype=bool)
        ordinary[sorted(tokenizer.special_ids | {mask_id})] = False
        return cls(rate, mask, random, mask_id, ordinary, WordPieces.of(tokenizer) if whole_words else None)

    def __call__(self, ids: Ids, draws: Draws, *, exact: bool) -> tuple[Ids, Ids]:
        """(inputs, targets), (t,) each; targets are IGNORED where nothing was chosen.

        `exact` chooses the share of positions in every text; otherwise each has that chance by itself.
        """
        chosen = self._chosen(ids, draws.order, exact)
        masked = chosen & (draws.fate < self.mask_share)
        replaced = chosen & ~masked & (draws.fate < self.mask_share + self.random_share)
        inputs = np.where(masked, self.mask_id, ids)
        others = self._pool[(draws.token * len(self._pool)).astype(np.int64)]
        return np.where(replaced, others, inputs), np.where(chosen, ids, IGNORED)

    @functools.cached_property
    def _pool(self) -> Ids:
        return np.flatnonzero(self.ordinary)

    def _chosen(self, ids: Ids, order: Numbers, exact: bool) -> Flags:
        """A word is as early in the order as its first token."""
        able = self.ordinary[ids]
        units = np.arange(len(ids)) if self.words is None else self.words.numbers(ids)
        firsts = np.searchsorted(units, np.arange(units[-1] + 1 if len(units) else 0))
        if not exact:
            return able & (order[firsts] < self.rate)[units]
        sizes = np.bincount(units, weights=able, minlength=len(firsts)).astype(np.int64)
        wanted = max(1, round(self.rate * int(able.sum())))
        picked = _first_fitting(np.argsort(order[firsts], kind="stable"), sizes, wanted)
        return able & picked[units]


def _first_fitting(units: Ids, sizes: Ids, wanted: int) -> Flags:
    """(n,): the first of `units` that together have at most `wanted` tokens; one that would be too much is left out.

    The first of all where each one is too much.
    """
    units = units[sizes[units] > 0]
    picked = np.zeros(len(sizes), dtype=bool)
    if len(units) and (sizes[units] == 1).all():
        picked[units[:wanted]] = True
        return picked
    left = wanted
    for unit in units:
        if sizes[unit] <= left:
            picked[unit] = True
            left -= sizes[unit]
    if not picked.any():
        picked[units[:1]] = True
    return picked


def _hashed(places: Ids, seed: int) -> Numbers:
    """Numbers in [0, 1) for places and a seed, by the mixing function of SplitMix64 (Steele et al., 2014)."""
    start = (seed + 1) * 0xD1B54A32D192ED03 % 2**64
    mixed = places.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(start)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2**53
