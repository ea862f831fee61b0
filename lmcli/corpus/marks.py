"""Punctuation that ends sentences, lines and quotations, in every script that has some of its own."""

from __future__ import annotations

import re

SENTENCE_ENDS = tuple(
    ".!?‼‽⁇⁈⁉⸮"
    "。．！？｡﹒﹖﹗"  # Chinese, Japanese
    "։؝؞؟۔܀܁܂߹।॥"  # Armenian, Arabic, Syriac, N'Ko, Devanagari
    "၊။።፧፨។៕᠃᠉᥄᥅"  # Burmese, Ethiopic, Khmer, Mongolian, Limbu
)
"""Marks with the Unicode property Sentence_Terminal (PropList.txt), of scripts in general use."""

CLOSING = "\"'”’»)]」』）】》〉"
"""What may follow the end of a sentence before the next begins."""

ELLIPSES = ("...", "…")
WIDE_ELLIPSES = ("。。。", "・・・")
"""Ways to write an ellipsis in Chinese and Japanese, besides the others."""

_SPACED = re.escape(".!?‼‽⁇⁈⁉⸮։؝؞؟۔܀܁܂߹।॥።፧፨᠃᠉᥄᥅")
_UNSPACED = "。．！？｡﹒﹖﹗၊။។៕"
_CLOSING = re.escape(CLOSING)

# Each alternative takes all marks and closing quotes in a row, whatever follows, so that none is looked at twice.
_ENDS = re.compile(rf"[{_SPACED}{_UNSPACED}]++[{_CLOSING}]*+(?P<end>\s|\Z)?+")
_HAS_UNSPACED = re.compile(f"[{_UNSPACED}]")


def count_sentences(line: str) -> int:
    """The number of sentences in a line; a rest without a full stop is one, an empty line has none.

    A full stop ends a sentence where a space or the end of the line follows; "。" and its like wherever they are.
    """
    line = line.strip()
    if not line:
        return 0
    ends = rest = 0
    for match in _ENDS.finditer(line):
        if match["end"] is not None or _HAS_UNSPACED.search(match[0]):
            ends += 1
            rest = match.end()
    return ends + (rest < len(line))
