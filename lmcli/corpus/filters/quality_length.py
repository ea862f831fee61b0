"""Documents within bounds of length."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge

from lmcli.config import section
from lmcli.corpus.documents import Drop
from lmcli.corpus.spans import spans


@section
class Length:
    """Drops documents that are too short or too long. A bound of 0 is no bound; the defaults are our own choice."""

    min_characters: Annotated[int, "characters a document has at least", Ge(0)] = 50
    max_characters: Annotated[int, "characters a document has at most; 0 for any number", Ge(0)] = 1_000_000
    min_words: Annotated[
        int, "words a document has at least; in scripts without spaces each character is a word", Ge(0)
    ] = 0
    max_words: Annotated[int, "words a document has at most; 0 for any number", Ge(0)] = 0

    def apply(self, text: str) -> str | Drop:
        if len(text) < self.min_characters:
            return Drop("quality.too_short")
        if self.max_characters and len(text) > self.max_characters:
            return Drop("quality.too_long")
        if self.min_words or self.max_words:
            words = spans(text).words
            if words < self.min_words:
                return Drop("quality.too_short")
            if self.max_words and words > self.max_words:
                return Drop("quality.too_long")
        return text
