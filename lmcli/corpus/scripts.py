"""The script that a text is mainly written in."""

from __future__ import annotations

import functools
import re

import numpy as np
import numpy.typing as npt

SAMPLE = 2000  # characters: a text that long shows what it is

_RANGES = {
    "Latin": "A-Za-zªº\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u1e00-\u1eff",
    "Greek": "\u0370-\u03ff\u1f00-\u1fff",
    "Cyrillic": "\u0400-\u052f",
    "Armenian": "\u0531-\u058f",
    "Hebrew": "\u0591-\u05f4",
    "Arabic": "\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc",
    "Devanagari": "\u0900-\u097f",
    "Bengali": "\u0980-\u09ff",
    "Tamil": "\u0b80-\u0bff",
    "Telugu": "\u0c00-\u0c7f",
    "Thai": "\u0e00-\u0e7f",
    "Lao": "\u0e80-\u0eff",
    "Burmese": "\u1000-\u109f",
    "Georgian": "\u10a0-\u10ff",
    "Ethiopic": "\u1200-\u137f",
    "Khmer": "\u1780-\u17ff",
    "Kana": "\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f",
    "Han": "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f",
    "Hangul": "\u1100-\u11ff\u3130-\u318f\uac00-\ud7af",
}
_NAMES = ("Other", *_RANGES)
_LATIN = re.compile("[A-Za-z]")


@functools.cache
def _scripts() -> npt.NDArray[np.uint8]:
    """For each code point the number of its script in `_NAMES`."""
    scripts = np.zeros(0x110000, dtype=np.uint8)
    for number, letters in enumerate(_RANGES.values(), 1):
        for first, last in re.findall("(.)(?:-(.))?", letters):
            scripts[ord(first) : ord(last or first) + 1] = number
    return scripts


def script(text: str) -> str:
    """The script with most letters in a sample of the text; "Other" for a text without letters of a known script.

    Japanese counts as Kana as soon as a tenth of its letters is.
    """
    sample = text if len(text) <= SAMPLE else text[: SAMPLE // 2] + text[len(text) // 2 :][: SAMPLE // 2]
    if sample.isascii():
        return "Latin" if _LATIN.search(sample) else "Other"
    codes = np.frombuffer(sample.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    counts = np.bincount(_scripts()[codes], minlength=len(_NAMES))
    counts[0] = 0
    if 9 * counts[_NAMES.index("Kana")] >= counts[_NAMES.index("Han")] > 0:
        return "Kana"
    return _NAMES[int(counts.argmax())]
