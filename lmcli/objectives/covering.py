"""Spans of a text, hidden behind signs. Everything is a pure function of its arguments."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lmcli.tokens.window_batch import Ids


class Spans(NamedTuple):
    """(n,) each: span i is [starts[i], stops[i]), after the one before it; it may be empty."""

    starts: Ids
    stops: Ids


def covered(ids: Ids, spans: Spans, signs: Ids) -> Ids:
    """The text with a sign in the place of each span; an empty span is a sign between two tokens."""
    hidden, before = _hidden(len(ids), spans)
    return np.insert(ids[~hidden], spans.starts - before, signs)


def told(ids: Ids, spans: Spans, signs: Ids) -> Ids:
    """What the spans hide, each after its sign."""
    hidden, before = _hidden(len(ids), spans)
    return np.insert(ids[hidden], before, signs)


def _hidden(length: int, spans: Spans) -> tuple[npt.NDArray[np.bool_], Ids]:
    """(length,) whether a token is in a span; (n,) how many hidden tokens come before each span."""
    steps = np.zeros(length + 1, dtype=np.int64)
    np.add.at(steps, spans.starts, 1)
    np.subtract.at(steps, spans.stops, 1)
    sizes = spans.stops - spans.starts
    return np.cumsum(steps)[:-1] > 0, np.cumsum(sizes) - sizes


def composed(total: int, parts: int, rng: np.random.Generator) -> Ids:
    """(parts,) lengths of at least 1 that add up to `total`; each way to do so is as likely."""
    cuts = np.sort(rng.choice(total - 1, parts - 1, replace=False)) + 1
    return np.diff(cuts, prepend=0, append=total)
