"""Where sentences end among the tokens of a text, which are the same whether anybody asks or not."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from lmcli.corpus.sentences import sentence_ends
from lmcli.tokens.byte_pairs import Ids
from lmcli.tokens.tokenizer import Tokenizer, guard

Locate = Callable[[str, Ids, Sequence[int]], npt.NDArray[np.int64]]


def sentences_of(text: str) -> list[int]:
    """Where sentences end, in characters, without the space behind them: that belongs to the next one's first token."""
    ends: list[int] = []
    start = 0
    for end in sentence_ends(text):
        shown = len(text[start:end].rstrip())
        if shown:
            ends.append(start + shown)
        start = end
    return ends


def locator(tokenizer: Tokenizer) -> Locate:
    """A function of a text, its ids and ascending places in it: for each, how many tokens reach it.

    A token that goes on behind a place counts, so that every sentence is whole.
    """
    if tokenizer.unit == "characters":
        return lambda text, ids, places: np.array(places, dtype=np.int64)
    if tokenizer.token_texts is None:
        return _by_offsets(tokenizer)
    sizes = tokenizer.token_bytes

    def by_bytes(text: str, ids: Ids, places: Sequence[int]) -> npt.NDArray[np.int64]:
        reached = np.cumsum(sizes[ids])
        if not len(ids) or reached[-1] != len(text.encode()):  # a normalizer has changed the text
            return _by_offsets(tokenizer)(text, ids, places)
        found: npt.NDArray[np.int64] = np.searchsorted(reached, _in_bytes(text, places)) + 1
        return found

    return by_bytes


def _in_bytes(text: str, places: Sequence[int]) -> Sequence[int]:
    """How many bytes of UTF-8 lie before each place."""
    if text.isascii():
        return places
    starts = [0, *places]
    sizes = (len(text[start:end].encode()) for start, end in zip(starts, places, strict=False))
    return list(itertools.accumulate(sizes))


def _by_offsets(tokenizer: Tokenizer) -> Locate:
    """By what `tokenizers` says of the place of each token, which costs another encoding."""

    def locate(text: str, ids: Ids, places: Sequence[int]) -> npt.NDArray[np.int64]:
        with guard(tokenizer.path):
            offsets = tokenizer.backend.encode(text, add_special_tokens=False).offsets
        ends = np.maximum.accumulate(np.array([end for _, end in offsets] or [0], dtype=np.int64))
        return np.minimum(np.searchsorted(ends, places) + 1, len(ids))

    return locate
