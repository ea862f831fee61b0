"""Text as words: the one splitter of filters, n-grams and signatures.

A word is a run of characters between spaces and punctuation; an apostrophe or hyphen inside it belongs to it. In scripts
that are written without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) each character is a word.
"""

from __future__ import annotations

import functools
import re
import unicodedata

SPACELESS = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
PUNCTUATION = (
    r"!-/:-@\[-`{-~\u00a1-\u00a9\u00ab-\u00b1\u00b4-\u00b8\u00bb\u00bf\u00d7\u00f7\u2010-\u2027\u2030-\u205e\u20a0-\u20cf"
    r"\u2190-\u2bff\u3001-\u3004\u3008-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)

_WORD = rf"[^\s{PUNCTUATION}{SPACELESS}]++(?:['’\-][^\s{PUNCTUATION}{SPACELESS}]++)*+|[{SPACELESS}]"
_WORDS = re.compile(_WORD)
_TOKENS = re.compile(rf"{_WORD}|[{PUNCTUATION}]")
_SPACELESS = re.compile(f"[{SPACELESS}]")
_MARKS = re.compile("[\u0300-\u036f]")
_DIGITS = re.compile("[1-9]")
_FOLDED_ASCII = bytes(ord("0") if chr(code) in "123456789" else ord(chr(code).lower()) for code in range(128)) + bytes(
    128
)


@functools.lru_cache(maxsize=2)
def words(text: str) -> list[str]:
    """The words of a text, without punctuation. The last texts are remembered, for one filter after the other asks."""
    return _WORDS.findall(text)


@functools.lru_cache(maxsize=2)
def tokens(text: str) -> list[str]:
    """The words of a text and each of its punctuation marks, in order."""
    return _TOKENS.findall(text)


@functools.lru_cache(maxsize=2)
def is_spaceless(text: str) -> bool:
    """Whether most letters belong to scripts without spaces, so that rules about words become rules on characters."""
    if text.isascii():
        return False
    characters = len(_SPACELESS.findall(text))
    return characters > 0.5 * sum(map(len, words(text)))


def folded_words(text: str) -> list[str]:
    """Words for comparing texts: in lower case, digits as 0, no accents, so that small edits of form don't count."""
    return _WORDS.findall(_folded(text))


def _folded(text: str) -> str:
    if text.isascii():
        return text.encode().translate(_FOLDED_ASCII).decode()
    text = _DIGITS.sub("0", text.lower())
    return unicodedata.normalize("NFC", _MARKS.sub("", unicodedata.normalize("NFD", text)))
