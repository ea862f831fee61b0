"""Where a long text may be cut without changing its tokens, and the bytes that a byte-level vocabulary stands for."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from lmcli.tokens.patterns import DEFAULT, PATTERNS, specification

PATTERN = PATTERNS[DEFAULT].regex
SPECIFICATION = specification(PATTERN)

SEGMENT = 1 << 17
WHITESPACE_LIMIT = 1 << 20

_BOUNDARY = PATTERNS[DEFAULT].boundary


def segments(
    text: str, size: int = SEGMENT, boundary: re.Pattern[str] = _BOUNDARY, longest: int | None = None
) -> Iterator[str]:
    """Cut a long text into parts whose tokens, joined, are the tokens of the whole text.

    `boundary` matches just before the places where that holds (see `patterns`). Without such a place the text stays
    whole, but for runs of more than a million white-space characters: no regex engine in use can match those. Where
    `longest` is given, a part is cut after so many characters in any case, and a word of that length with it.
    """
    start = 0
    while len(text) - start > size:
        limit = len(text) if longest is None else min(len(text), start + longest)
        found = boundary.search(text, start + size - 1, limit + 1)
        end = found.end() if found else limit
        end = _end_of_whitespace(text, start, end)
        yield text[start:end]
        start = end
    if start < len(text) or not text:
        yield text[start:]


def _end_of_whitespace(text: str, start: int, end: int) -> int:
    """`end`, or the middle of the first overlong run of white space before it."""
    step = WHITESPACE_LIMIT // 2
    for place in range(start, end - step, step):
        if text[place : place + step].isspace():
            return place + step
    return end


def has_long_whitespace(text: str, length: int = 20_000) -> bool:
    """Whether some run of white space has `length` characters (never below that, always from twice that on)."""
    return any(text[place : place + length].isspace() for place in range(0, len(text) - length + 1, length))


@functools.cache
def byte_of_character() -> dict[str, int]:
    """The byte that each character of a byte-level vocabulary stands for: GPT-2's table, printable ones as they are."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in set(printable)]
    return {chr(byte): byte for byte in printable} | {chr(256 + place): byte for place, byte in enumerate(others)}
