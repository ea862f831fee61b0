"""Documents in other languages than those that are wanted."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le

from lmcli.config import section
from lmcli.corpus.documents import Drop
from lmcli.corpus.language import detect


@section
class Language:
    """Drops documents in other languages; with none named, the language is only noted, and every document stays."""

    keep: Annotated[tuple[str, ...], "ISO codes of the languages that stay, such as en, zh; none keeps them all"] = ()
    min_score: Annotated[float, "probability of the language, below which a document is dropped", Ge(0), Le(1)] = 0.5

    def apply(self, text: str) -> str | Drop:
        if not self.keep:
            return text
        code, score = detect(text)
        if score < self.min_score:
            return Drop("language.unsure")
        return text if code in self.keep else Drop("language.other")
