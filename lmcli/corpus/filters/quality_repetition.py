"""Gopher's repetition rules: documents that say the same again and again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge, Le

from lmcli.config import section
from lmcli.corpus.documents import Drop
from lmcli.corpus.repeated_runs import RepeatedRuns
from lmcli.corpus.spaceless import characters_per_word
from lmcli.corpus.spans import spans

Share = Annotated[float, Ge(0), Le(1)]
Positive = Annotated[float, Ge(0)]

TOP = (2, 3, 4)
REPEATED = (5, 6, 7, 8, 9, 10)


@section
class Repetition:
    """The repetition rules of Rae et al. 2021 (Gopher), with the constants of its table A1.

    Shares of characters are shares of all characters of the text. Blank lines don't count; paragraphs are separated by
    empty ones. Punctuation marks are words here. The most frequent run occurs twice at least, and its characters
    include a space between words.

    In scripts without spaces a run of n words is one of 2 n characters (4 n in Thai, Lao, Khmer and Burmese), with the
    same limits; that is our own choice.
    """

    lines: Annotated[float, "share of lines that are repetitions, at most", Ge(0), Le(1)] = 0.3
    paragraphs: Annotated[float, "share of paragraphs that are repetitions, at most", Ge(0), Le(1)] = 0.3
    line_characters: Annotated[float, "characters in repeated lines, at most", Ge(0), Le(1)] = 0.2
    paragraph_characters: Annotated[float, "characters in repeated paragraphs, at most", Ge(0), Le(1)] = 0.2
    top: Annotated[
        tuple[Positive, Positive, Positive],
        "characters in the most frequent run of 2, 3 and 4 words, at most; above 1 where occurrences overlap",
    ] = (0.20, 0.18, 0.16)
    repeated: Annotated[
        tuple[Share, Share, Share, Share, Share, Share],
        "characters in repeated runs of 5, 6, 7, 8, 9 and 10 words, at most",
    ] = (0.15, 0.14, 0.13, 0.12, 0.11, 0.10)

    def apply(self, text: str) -> str | Drop:
        reason = self._parts(text) or self._runs(text)
        return Drop(f"repetition.{reason}") if reason else text

    def _parts(self, text: str) -> str:
        """The rules on lines and paragraphs that are not blank."""
        lines = [line for line in text.split("\n") if line and not line.isspace()]
        count, characters = repetitions(lines)
        if count / max(1, len(lines)) > self.lines:
            return "lines"
        paragraphs = [paragraph for part in text.strip().split("\n\n") if (paragraph := part.strip("\n"))]
        paragraph_count, paragraph_characters = repetitions(paragraphs)
        if paragraph_count / max(1, len(paragraphs)) > self.paragraphs:
            return "paragraphs"
        if characters / max(1, len(text)) > self.line_characters:
            return "line_characters"
        share = paragraph_characters / max(1, len(text))
        return "paragraph_characters" if share > self.paragraph_characters else ""

    def _runs(self, text: str) -> str:
        """The rules on runs of words."""
        found = spans(text)
        length = max(1, len(text))
        factor = characters_per_word(text) if found.is_spaceless else 1
        runs = RepeatedRuns(found.hashes, found.lengths, TOP[0] * factor)
        for n, share in zip(TOP, self.top, strict=True):
            runs.grow(n * factor)
            characters, count = runs.top()
            spaces = 0 if found.is_spaceless else n - 1
            if count > 1 and count * (characters + spaces) / length > share:
                return f"top_{n}_grams"
        for n, share in zip(REPEATED, self.repeated, strict=True):
            runs.grow(n * factor)
            bound = runs.bound() / length
            if bound <= min(self.repeated):
                return ""  # for all further n as well
            if bound > share and runs.repeated() / length > share:
                return f"repeated_{n}_grams"
        return ""


def repetitions(parts: Sequence[str]) -> tuple[int, int]:
    """How many of `parts` are equal to an earlier one, and the characters of these."""
    different = set(parts)
    if len(different) == len(parts):
        return 0, 0
    return len(parts) - len(different), sum(map(len, parts)) - sum(map(len, different))
