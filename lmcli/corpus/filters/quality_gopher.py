"""Gopher's quality rules: documents that don't look like running text."""

from __future__ import annotations

import functools
from typing import Annotated

import numpy as np
from annotated_types import Ge, Le

from lmcli.config import section
from lmcli.corpus import spaceless
from lmcli.corpus.documents import Drop
from lmcli.corpus.marks import ELLIPSES, WIDE_ELLIPSES
from lmcli.corpus.spans import Spans, hash_of, spans

BULLETS = ("•", "-")
WIDE_BULLETS = ("・", "●", "○", "■", "◆", "※")


@section
class Gopher:
    """The quality rules of Rae et al. 2021 (Gopher), appendix A, with their constants.

    Words are compared with case, and a punctuation mark counts as a token of its own: where the publication says
    "words", shares are of all tokens, while lengths and numbers of words leave punctuation out.

    In scripts without spaces each character is a word, and these constants are our own choice: lengths are bounded by
    `min_characters` and `max_characters`, the mean length of a word by nothing; a word counts for two characters (four
    in Thai, Lao, Khmer and Burmese) where symbols are compared with words; stop words are the most frequent function
    words of Chinese, Japanese, Thai, Lao, Khmer or Burmese; "。。。", "・・・" and further bullets count.
    """

    min_words: Annotated[int, "words a document has at least", Ge(0)] = 50
    max_words: Annotated[int, "words a document has at most", Ge(1)] = 100_000
    min_characters: Annotated[int, "instead of min_words, in scripts without spaces", Ge(0)] = 100
    max_characters: Annotated[int, "instead of max_words, in scripts without spaces", Ge(1)] = 200_000
    min_word_length: Annotated[float, "characters of a word on average, at least", Ge(0)] = 3
    max_word_length: Annotated[float, "characters of a word on average, at most", Ge(0)] = 10
    max_symbols: Annotated[float, "hash signs, or ellipses, for each word at most", Ge(0)] = 0.1
    max_bullets: Annotated[float, "share of lines that start with a bullet, at most", Ge(0), Le(1)] = 0.9
    max_ellipsis: Annotated[float, "share of lines that end with an ellipsis, at most", Ge(0), Le(1)] = 0.3
    min_alphabetic: Annotated[
        float, "share of words (punctuation marks included) with a letter, at least", Ge(0), Le(1)
    ] = 0.8
    min_stop_words: Annotated[
        int, "different stop words that a document has at least; 0 for other languages", Ge(0)
    ] = 2
    stop_words: Annotated[tuple[str, ...], "the stop words, in scripts with spaces"] = (
        "the", "be", "to", "of", "and", "that", "have", "with",
    )  # fmt: skip

    def apply(self, text: str) -> str | Drop:
        found = spans(text)
        reason = (
            self._length(found)
            or self._alphabetic(found)
            or self._symbols(text, found)
            or self._lines(text, found)
            or self._stop_words(text, found)
        )
        return Drop(f"quality.{reason}") if reason else text

    def _length(self, found: Spans) -> str:
        words = found.words
        low, high = self.min_words, self.max_words
        if found.is_spaceless:
            low, high = self.min_characters, self.max_characters
        if words < low:
            return "too_short"
        if words > high:
            return "too_long"
        if found.is_spaceless:
            return ""
        spaced = found.is_word & ~found.is_character
        length = np.dot(found.lengths, spaced) / max(1, np.count_nonzero(spaced))
        return "" if not words or self.min_word_length <= length <= self.max_word_length else "word_length"

    def _symbols(self, text: str, found: Spans) -> str:
        ellipses = _count(ELLIPSES, text)
        words: float = len(found)
        if found.is_spaceless:
            ellipses += _count(WIDE_ELLIPSES, text) - text.count("……")  # the Chinese ellipsis is two signs
            words /= spaceless.characters_per_word(text)
        return "symbols" if max(text.count("#"), ellipses) / max(1, words) > self.max_symbols else ""

    def _lines(self, text: str, found: Spans) -> str:
        bullets = BULLETS + WIDE_BULLETS if found.is_spaceless else BULLETS
        ellipses = ELLIPSES + WIDE_ELLIPSES if found.is_spaceless else ELLIPSES
        lines = text.splitlines()
        starts = (line.lstrip().startswith(bullets) for line in lines)
        ends = (line.rstrip().endswith(ellipses) for line in lines)
        count = max(1, len(lines))
        # Counting signs anywhere in the text is quick, and most texts have too few of them.
        if _count(bullets, text) / count > self.max_bullets and sum(starts) / count > self.max_bullets:
            return "bullets"
        if _count(ellipses, text) / count > self.max_ellipsis and sum(ends) / count > self.max_ellipsis:
            return "ellipsis"
        return ""

    def _alphabetic(self, found: Spans) -> str:
        alphabetic = np.count_nonzero(found.has_letter) / max(1, len(found))
        return "alphabetic" if alphabetic < self.min_alphabetic else ""

    def _stop_words(self, text: str, found: Spans) -> str:
        missing = self.min_stop_words
        if found.is_spaceless:
            missing -= sum(word in text for word in spaceless.stop_words(text))
        else:
            for value in _hashes(self.stop_words):
                if missing <= 0:
                    break
                missing -= bool((found.hashes == value).any())
        return "stop_words" if missing > 0 else ""


def _count(signs: tuple[str, ...], text: str) -> int:
    return sum(map(text.count, signs))


@functools.cache
def _hashes(words: tuple[str, ...]) -> list[np.uint64]:
    found = map(hash_of, dict.fromkeys(words))
    return [np.uint64(value) for value in found if value is not None]
