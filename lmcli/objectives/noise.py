"""What the ways to make a source and its target from a window have in common."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from lmcli.tokens.window_batch import Ids, WindowBatch


class Pair(NamedTuple):
    """What is read as a whole, and what has to be written then."""

    source: Ids
    target: Ids


class Noise(Protocol):
    def __call__(self, windows: WindowBatch, row: int, length: int) -> Pair:
        """Of the first `length` tokens (at least 2) of a window: a pure function of them and `windows.rng(row)`.

        Raises ConfigError when tokenizer or corpus lack what it needs.
        """
        ...


class Sentences(NamedTuple):
    """The sentences of a text, without a gap; (n,) each. An end token is one of its own.

    `documents` numbers the document of each from 0; `movable` is False for end tokens.
    """

    starts: Ids
    stops: Ids
    documents: Ids
    movable: np.ndarray


def sentences(windows: WindowBatch, row: int, length: int) -> Sentences:
    """Of the first `length` tokens of a window. Raises ConfigError where the corpus was encoded without them."""
    ends = windows.document_ends(row)
    marks = np.unique(np.concatenate([[0, length], windows.sentence_ends(row), ends, ends - 1]))
    marks = marks[marks <= length]
    starts, stops = marks[:-1], marks[1:]
    closes = np.isin(stops, ends)
    return Sentences(starts, stops, np.cumsum(closes) - closes, ~closes)
