"""Qwen2's pre-tokenization (llama.cpp and others know it by name), and where a text may be cut without changing it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)

SPECIFICATION = {
    "type": "Sequence",
    "pretokenizers": [
        {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
    ],
}

SEGMENT = 1 << 17
WHITESPACE_LIMIT = 1 << 20

_BOUNDARY = re.compile(r"\S(?= )|[\r\n](?=\S)|[^\W\d_](?=[，。、！？；：])")


def segments(text: str, size: int = SEGMENT) -> Iterator[str]:
    """Cut a long text into parts whose tokens, joined, are the tokens of the whole text.

    No alternative of PATTERN matches across, or looks beyond, a place between a sign and a following space, a line
    end and a following sign, or a letter and a following Chinese punctuation mark. Without such a place the text stays
    whole, but for runs of more than a million white-space characters: no regex engine in use can match those.
    """
    start = 0
    while len(text) - start > size:
        boundary = _BOUNDARY.search(text, start + size - 1)
        end = boundary.end() if boundary else len(text)
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
