"""Windows over token ids that are given outright, with the places where sentences end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from lmcli.tokens.window_batch import WindowBatch

END, PAD, MASK, FIRST = 0, 1, 2, 10
"""Text has ids from FIRST on."""

SENTINELS = np.arange(1099, 999, -1)


class Stream:
    """The part of a TokenStream that corruption looks at."""

    side, end_id = "train", END

    def __init__(self, ids: np.ndarray, sentence_ends: Sequence[int] | None) -> None:
        self._ids = ids
        self.document_ends = np.flatnonzero(ids == END).astype(np.uint64) + np.uint64(1)
        self.sentence_ends = None if sentence_ends is None else np.array(sentence_ends, dtype=np.uint64)

    def __len__(self) -> int:
        return len(self._ids)


def windows(ids: Any, sentence_ends: Sequence[int] | None = None, *, rows: int = 1, seed: int = 0) -> WindowBatch:
    """The same text as every one of `rows` windows."""
    ids = np.array(ids, dtype=np.int64)
    stream: Any = Stream(ids, sentence_ends)
    return WindowBatch(np.stack([ids] * rows), np.zeros(rows, np.int64), np.arange(rows), seed, stream)


@st.composite
def documents(draw: st.DrawFn, least: int = 2) -> WindowBatch:
    """One window of several documents with several sentences, cut off anywhere."""
    words = st.lists(st.integers(FIRST, FIRST + 30), min_size=1, max_size=12)
    texts = draw(st.lists(st.lists(words, min_size=0, max_size=6), min_size=1, max_size=5))
    ids: list[int] = []
    ends: list[int] = []
    for text in texts:
        for sentence in text:
            ids += sentence
            ends.append(len(ids))
        ids.append(END)
    length = draw(st.integers(min(least, len(ids)), len(ids)))
    if length < least:
        ids, length = ids + [FIRST] * least, least
    return windows(ids[:length], [end for end in ends if end <= length], seed=draw(st.integers(0, 1000)))
