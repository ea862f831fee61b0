"""FineWeb's quality rules: lists, menus and repeated lines."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le

from lmcli.config import section
from lmcli.corpus.documents import Drop
from lmcli.corpus.filters.quality_repetition import repetitions
from lmcli.corpus.marks import CLOSING, SENTENCE_ENDS
from lmcli.corpus.spaceless import characters_per_word, ends_sentences_with_marks
from lmcli.corpus.spans import spans


@section
class FineWeb:
    """The filters of Penedo et al. 2024 (FineWeb), section 3.6; the limits on newlines and on repeated lines are those
    of its published code.

    Lines of white space don't count. In scripts without spaces these choices are our own: a short line of Chinese or
    Japanese has a third of `short_line` characters, two characters stand for a word (four in Thai, Lao, Khmer and
    Burmese), quotation marks may follow the end of a sentence, and the rule on line ends leaves Thai and Lao alone, for
    these have no full stop.
    """

    min_ended: Annotated[float, "share of lines that end a sentence, at least", Ge(0), Le(1)] = 0.12
    max_short: Annotated[float, "share of short lines, at most", Ge(0), Le(1)] = 0.67
    short_line: Annotated[int, "characters of a short line, at most", Ge(0)] = 30
    max_repeated: Annotated[float, "characters in repeated lines, at most", Ge(0), Le(1)] = 0.01
    max_newlines: Annotated[float, "newlines for each word (or punctuation mark), at most", Ge(0)] = 0.3

    def apply(self, text: str) -> str | Drop:
        lines = [line for line in text.split("\n") if line and not line.isspace()]
        if not lines:
            return Drop("fineweb.empty")
        spaceless = not text.isascii() and spans(text).is_spaceless
        factor = characters_per_word(text) if spaceless else 1
        if self._ended(text, lines, spaceless) / len(lines) < self.min_ended:
            return Drop("fineweb.line_punctuation")
        short = self.short_line // 3 if factor == 2 else self.short_line
        if sum(len(line) <= short for line in lines) / len(lines) > self.max_short:
            return Drop("fineweb.short_lines")
        newlines = text.count("\n")
        if repetitions(lines)[1] / (len(text) - newlines) > self.max_repeated:
            return Drop("fineweb.repeated_lines")
        return Drop("fineweb.newlines") if newlines * factor / len(spans(text)) > self.max_newlines else text

    def _ended(self, text: str, lines: list[str], spaceless: bool) -> int:
        """The number of lines that end a sentence."""
        if not spaceless:
            return sum(line.endswith(SENTENCE_ENDS) for line in lines)
        if not ends_sentences_with_marks(text):
            return len(lines)
        return sum(line.rstrip().rstrip(CLOSING).endswith(SENTENCE_ENDS) for line in lines)
