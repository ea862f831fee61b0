"""Text as words: the one splitter of filters, n-grams and signatures.

A word is a run of characters between spaces and punctuation; an apostrophe or hyphen inside it belongs to it. In
scripts that are written without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) each character is a word.
"""

from __future__ import annotations

import functools
import re
import unicodedata

SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003134f"
)
PUNCTUATION = (
    r"!-/:-@\[-`{-~\u00a1-\u00a9\u00ab-\u00b1\u00b4-\u00b8\u00bb\u00bf\u00d7\u00f7\u2010-\u2027\u2030-\u205e\u20a0-\u20cf"
    r"\u2190-\u2bff\u3001-\u3004\u3008-\u303f\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65"
)

_WORD = rf"[^\s{PUNCTUATION}{SPACELESS}]++(?:['’\-][^\s{PUNCTUATION}{SPACELESS}]++)*+"
PATTERN = rf"{_WORD}|[{SPACELESS}{PUNCTUATION}]"
"""What `tokens` finds, for those who split with other means."""

_TOKENS = re.compile(PATTERN)
_WIDE_PUNCTUATION = re.compile("[—–…“”„’´«»►━∶：％、，；（）？！〈〉《》【】「」。．～＜｛]")
_APART = re.compile(f"[{PUNCTUATION.partition('~')[2]}{SPACELESS}]")
_SPACELESS = re.compile(f"[{SPACELESS}]")
_PUNCTUATION_MARKS = frozenset(filter(re.compile(f"[{PUNCTUATION}]").match, map(chr, range(0x10000))))
_ACCENTED = re.compile("[\u00c0-\u024f\u0300-\u03ff\u1e00-\u1fff]")
_ACCENTS = re.compile("[\u0300-\u036f]")


_NUMBER = re.compile(r"\d++(?:[.,،٫]\d++)?+")
_ASCII_MARKS = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
_SPACES = str.maketrans(dict.fromkeys(_ASCII_MARKS, " "))
_SPACE_BYTES = bytes.maketrans(_ASCII_MARKS.encode(), b" " * len(_ASCII_MARKS))


@functools.lru_cache(maxsize=2)
def words(text: str) -> list[str]:
    """The words of a text, without punctuation. The last texts are remembered, for one filter after the other asks."""
    return [token for token in tokens(text) if token not in _PUNCTUATION_MARKS]


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
    return characters > 0 and characters > 0.5 * sum(map(len, words(text)))


def folded_words(text: str) -> list[str]:
    """Words for comparing texts: in lower case, numbers as 0, no accents, so that small edits of form don't count.

    Every punctuation mark separates words here; signs such as → and © are words. This is how datatrove folds text, so
    that both see the same words. Tables and `split` take a quarter of the time of regular expressions.
    """
    text = _NUMBER.sub("0", text.lower())
    if text.isascii():
        return text.translate(_SPACES).split()
    text = text.encode("utf-8", "surrogatepass").translate(_SPACE_BYTES).decode("utf-8", "surrogatepass")
    if _ACCENTED.search(text):
        text = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", text)))
    return _APART.sub(r" \g<0> ", _WIDE_PUNCTUATION.sub(" ", text)).split()
