"""Rows of cells as lines with aligned columns."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence


def aligned(rows: Sequence[Sequence[str]], align: str) -> list[str]:
    """A line for each row, two spaces between columns; `align` has "<" (left) or ">" (right) for each column.

    Letters that a terminal shows at double width (Chinese, Japanese, Korean) count as two.
    """
    widths = [max((_width(row[place]) for row in rows), default=0) for place in range(len(align))]
    return [
        "  ".join(_padded(cell, width, side) for cell, width, side in zip(row, widths, align, strict=True)).rstrip()
        for row in rows
    ]


def _padded(cell: str, width: int, side: str) -> str:
    space = " " * (width - _width(cell))
    return space + cell if side == ">" else cell + space


def _width(text: str) -> int:
    if text.isascii():
        return len(text)
    return sum(0 if unicodedata.combining(sign) else 1 + (unicodedata.east_asian_width(sign) in "FW") for sign in text)
