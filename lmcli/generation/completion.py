"""The text of one sample as it grows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol


class TextDecoder(Protocol):
    """What turns token ids into complete characters (lmcli.tokens.tokenizer.StreamDecoder)."""

    def push(self, token: int) -> str: ...

    def flush(self) -> str: ...


class Completion:
    """Text that ends before the first stop string; `emit` gets it in pieces that join to exactly `text`.

    A piece that may be the start of a stop string is held back until that is decided.
    """

    def __init__(self, decoder: TextDecoder, stops: Sequence[str], emit: Callable[[str], None]) -> None:
        self.decoder = decoder
        self.stops = tuple(stops)
        self.emit = emit
        self.text = ""
        self.stopped = False
        self._emitted = 0

    def push(self, token: int) -> None:
        """Add a token; `stopped` says afterwards whether a stop string is complete."""
        self._add(self.decoder.push(token))

    def finish(self) -> None:
        """No token comes any more: hand out what was held back."""
        if not self.stopped:
            self._add(self.decoder.flush())
        self._hand_out(len(self.text))

    def _add(self, piece: str) -> None:
        # A stop string that ends in the new piece starts at most its own length before it.
        reach = max(map(len, self.stops), default=1) - 1
        start = max(0, len(self.text) - reach)
        self.text += piece
        found = [at for stop in self.stops if (at := self.text.find(stop, start)) >= 0]
        if found:
            self.text = self.text[: min(found)]
            self.stopped = True
        self._hand_out(len(self.text) - (0 if self.stopped else self._undecided()))

    def _undecided(self) -> int:
        """How many characters at the end may be the start of a stop string."""
        sizes = (size for stop in self.stops for size in range(1, len(stop)) if self.text.endswith(stop[:size]))
        return max(sizes, default=0)

    def _hand_out(self, end: int) -> None:
        if end > self._emitted:
            self.emit(self.text[self._emitted : end])
            self._emitted = end
