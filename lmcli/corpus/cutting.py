"""Where a text may be cut: at the end of a paragraph, else of a line, else of a word, else anywhere."""

from __future__ import annotations

from collections.abc import Iterator


def cut_before(text: str, low: int, high: int) -> int:
    """The best place to cut in (low, high]: after the last blank line, newline or space there, else `high`."""
    for separator in ("\n\n", "\n", " "):
        place = text.rfind(separator, low, high)
        if place >= 0:
            return place + len(separator)
    return high


def blocks(text: str, size: int) -> Iterator[str]:
    """Consecutive pieces of about `size` characters, none shorter than half of it (unless the text is)."""
    start = 0
    while len(text) - start > size + size // 2:
        end = cut_before(text, start + size // 2, start + size)
        yield text[start:end]
        start = end
    if start < len(text):
        yield text[start:]
