"""How the tokens of a window are laid out for an encoder: one segment or two, with special tokens around them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from lmcli.tokens.window_batch import Ids, WindowBatch

Pairs = Literal["none", "nsp", "order"]

NOWHERE = -1
"""The place of a token that comes from no text."""


class Row(NamedTuple):
    """(t,) each: the tokens, their places in the stream and their segments; and what a pair's label is, if any."""

    ids: Ids
    places: Ids
    types: Ids
    label: int | None


@dataclass(frozen=True)
class Layout:
    """`cls` text `sep`, or `cls` text `sep` text `sep`; a token that is None is left out, in single texts only."""

    cls: int | None
    sep: int | None
    pairs: Pairs = "none"

    def row(self, windows: WindowBatch, row: int, rng: np.random.Generator) -> Row:
        """As many tokens as the window has inputs."""
        length = windows.ids.shape[1] - 1
        start, size = int(windows.starts[row]), len(windows.stream)
        if self.pairs == "none":
            room = max(1, length - (self.cls is not None) - (self.sep is not None))
            return self._joined(windows, [(start, room)], None)
        room = max(2, length - 3)
        cut = _cut(windows, row, room, rng)
        first, second = (start, cut), ((start + cut) % size, room - cut)
        other = rng.random() < 0.5
        if other and self.pairs == "nsp":
            second = (_elsewhere(windows, second[0], rng), room - cut)
        elif other:
            first, second = second, first
        return self._joined(windows, [first, second], int(other))

    def _joined(self, windows: WindowBatch, spans: list[tuple[int, int]], label: int | None) -> Row:
        ids, places, types = _special(self.cls), _nowhere(self.cls), [np.zeros(len(_special(self.cls)), np.int64)]
        parts, spots = [ids], [places]
        for number, (start, length) in enumerate(spans):
            parts += [windows.stream.take(start, length), _special(self.sep)]
            spots += [(start + np.arange(length)) % len(windows.stream), _nowhere(self.sep)]
            types.append(np.full(length + len(_special(self.sep)), number))
        return Row(np.concatenate(parts), np.concatenate(spots), np.concatenate(types), label)


def _special(token: int | None) -> Ids:
    return np.array([] if token is None else [token], dtype=np.int64)


def _nowhere(token: int | None) -> Ids:
    return np.full(len(_special(token)), NOWHERE)


def _cut(windows: WindowBatch, row: int, room: int, rng: np.random.Generator) -> int:
    """Where the second segment begins: with a random sentence that goes on with the document of the one before it.

    The middle where there is none.
    """
    ends = windows.sentence_ends(row)
    ends = ends[ends < room]
    ends = ends[windows.ids[row][ends] != windows.stream.end_id]
    return int(rng.choice(ends)) if len(ends) else room // 2


def _elsewhere(windows: WindowBatch, own: int, rng: np.random.Generator) -> int:
    """The place of a random sentence of the corpus, but not `own` if there is any other."""
    ends = windows.stream.sentence_ends
    assert ends is not None  # `_cut` has asked for them
    size = len(windows.stream)
    for _ in range(8):
        place = int(ends[rng.integers(len(ends))]) % size if len(ends) else int(rng.integers(size))
        if windows.stream.take(place, 1)[0] == windows.stream.end_id:
            place = (place + 1) % size
        if place != own:
            break
    return place
