"""Equal values in a sequence that may be larger than memory."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from lmcli.corpus.ngrams import Hashes

AT_ONCE = 1 << 23  # values that are sorted together
_WINDOW = 1 << 20  # values that are looked at together


def equal_runs(values: Hashes, counted: npt.NDArray[np.bool_] | None = None) -> Iterator[tuple[Hashes, Hashes]]:
    """Pairs (first, later) of arrays of places: values[later] equals values[first], the place where it came first.

    `counted` leaves out the other places. Values are hashes: each pass takes those with one remainder, so that memory
    is bounded; `values` may lie on the disk.
    """
    passes = max(1, -(-len(values) // AT_ONCE))
    for turn in range(passes):
        places = _places(values, counted, passes, turn)
        found = np.asarray(values[places])
        order = np.argsort(found, kind="stable")
        found, places = found[order], places[order]
        new = np.ones(len(found), dtype=bool)
        new[1:] = found[1:] != found[:-1]
        first = places[new][np.cumsum(new) - 1] if len(found) else places
        yield first[~new], places[~new]


def _places(values: Hashes, counted: npt.NDArray[np.bool_] | None, passes: int, turn: int) -> Hashes:
    found = []
    for start in range(0, len(values), _WINDOW):
        window = np.asarray(values[start : start + _WINDOW])
        wanted = np.ones(len(window), dtype=bool) if counted is None else counted[start : start + _WINDOW].copy()
        if passes > 1:
            wanted &= window % np.uint64(passes) == turn
        found.append(np.flatnonzero(wanted).astype(np.uint64) + np.uint64(start))
    return np.concatenate(found) if found else np.empty(0, dtype=np.uint64)
