"""json: an array of objects, or objects one after the other. The file is never parsed as a whole."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lmcli.corpus.readers.jsonl import strict_decoder
from lmcli.corpus.records import Record
from lmcli.errors import InputError

if TYPE_CHECKING:
    from lmcli.corpus.reading import Reading
    from lmcli.corpus.sources import Source

_BETWEEN = re.compile(r"[ \t\r\n,]*")
_UNFINISHED = 16  # characters: an error so close to the end of what was read may only mean that more is needed


def records(source: Source, reading: Reading, keys: tuple[str, ...]) -> Iterator[Record]:
    """A record for each value. After a syntax error nothing is certain, so that is an InputError at once."""
    values = _Values(reading.text(source))
    try:
        for number, value in enumerate(values, 1):
            yield Record(number, value)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise InputError(f"{source.label}: not JSON after value {values.count}: {reason}") from None


class _Values:
    """The values of a JSON text that arrives in chunks."""

    def __init__(self, texts: Iterator[str]) -> None:
        self._texts = texts
        self._decoder = strict_decoder()
        self._text = ""
        self._place = 0
        self.count = 0

    def __iter__(self) -> Iterator[Any]:
        closing = ""
        if self._skip() == "[":
            self._place += 1
            closing = "]"
        while (following := self._skip()) and following != closing:
            yield self._value()
            self.count += 1
        if following != closing:
            raise ValueError("the array isn't closed: the file is cut short")
        self._place += len(closing)
        if closing and self._skip():
            raise ValueError("text after the array")

    def _skip(self) -> str:
        """The next character that begins a value or ends the array, "" at the end of the text."""
        while True:
            match = _BETWEEN.match(self._text, self._place)
            assert match is not None
            self._place = match.end()
            if self._place < len(self._text):
                return self._text[self._place]
            if not self._more():
                return ""

    def _value(self) -> Any:
        while True:
            try:
                value, self._place = self._decoder.raw_decode(self._text, self._place)
                return value
            except json.JSONDecodeError as error:
                near_end = error.pos >= len(self._text) - _UNFINISHED or error.msg.startswith("Unterminated string")
                if not near_end or not self._more():
                    raise ValueError(error.msg) from None

    def _more(self) -> bool:
        """Append as much as is waiting or more, so that parsing a long value again costs no more than it did so far."""
        waiting = [self._text[self._place :]]
        needed = max(1, len(waiting[0]))
        while needed > 0 and (chunk := next(self._texts, "")):
            waiting.append(chunk)
            needed -= len(chunk)
        self._text, self._place = "".join(waiting), 0
        return len(waiting) > 1
