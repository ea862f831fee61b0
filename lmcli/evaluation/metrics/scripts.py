"""Which kind of writing a text is in: word metrics fail without a sound on scripts that put no spaces between words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Literal

Writing = Literal["latin", "spaced", "chinese", "unspaced"]

_HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_KANA = "\u3040-\u30ff\u31f0-\u31ff\uff66-\uff9f"
_SOUTH_EAST_ASIA = "\u0e00-\u0eff\u0f00-\u0fff\u1000-\u109f\u1780-\u17ff"  # Thai, Lao, Tibetan, Burmese, Khmer

_HAN_CHARACTER = re.compile(f"[{_HAN}]")
_UNSPACED_CHARACTER = re.compile(f"[{_HAN}{_KANA}{_SOUTH_EAST_ASIA}]")
_ENOUGH = 200_000  # characters that decide; more would not change the answer


def writing(texts: Iterable[str]) -> Writing:
    """The writing of most units, where a unit is a word or, in scripts without spaces, a character.

    "latin": words of a-z and digits; "spaced": other words; "chinese": Han characters alone; "unspaced": all other
    scripts without spaces, and Japanese, whose Han characters stand among kana.
    """
    latin = spaced = han = unspaced = read = 0
    for text in texts:
        for word in words(text[: _ENOUGH - read]):
            if _UNSPACED_CHARACTER.match(word):
                unspaced += 1
                han += bool(_HAN_CHARACTER.match(word))
            elif word.isascii():
                latin += 1
            else:
                spaced += 1
        read += len(text)
        if read >= _ENOUGH:
            break
    if unspaced > latin + spaced:
        return "chinese" if han > 0.9 * unspaced else "unspaced"
    return "spaced" if spaced > latin else "latin"


def words(text: str) -> list[str]:
    """Lower-case words without punctuation, combining marks kept; each character of a script without spaces alone."""
    found: list[str] = []
    inside = False
    for character in text.lower():
        if _UNSPACED_CHARACTER.match(character):
            if unicodedata.category(character)[0] in "LMN":
                found.append(character)
            inside = False
        elif unicodedata.category(character)[0] not in "LMN":
            inside = False
        elif inside:
            found[-1] += character
        else:
            found.append(character)
            inside = True
    return found
