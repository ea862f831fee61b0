"""Which rows an evaluation generates for."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lmcli.corpus.rows import Row


@dataclass(frozen=True, slots=True)
class Choice:
    """The chosen rows in their own order, of how many that could be chosen; the others have no prompt or completion."""

    rows: tuple[Row, ...]
    of: int
    others: int


def choose(rows: Iterable[Row], limit: int, seed: int) -> Choice:
    """At most `limit` rows (0: all) with a prompt and a completion, by a hash of the seed and the row's content.

    The choice does not depend on the order of the rows, and a row that is added moves at most one other out.
    """
    usable = _Counted(rows)
    if not limit:
        return Choice(tuple(usable), usable.found, usable.others)
    places = enumerate(usable)
    nearest = heapq.nsmallest(limit, places, key=lambda place: (_draw(place[1], seed), place[0]))
    chosen = tuple(row for _, row in sorted(nearest, key=lambda place: place[0]))
    return Choice(chosen, usable.found, usable.others)


class _Counted:
    """The rows that have both, counted as they go by."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._rows = iter(rows)
        self.found = self.others = 0

    def __iter__(self) -> _Counted:
        return self

    def __next__(self) -> Row:
        for row in self._rows:
            if row.prompt and row.completion:
                self.found += 1
                return row
            self.others += 1
        raise StopIteration


def _draw(row: Row, seed: int) -> bytes:
    content = f"{seed}\0{row.prompt}\0{row.completion}"
    return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).digest()
