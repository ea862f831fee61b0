"""Documents that have text of evaluation files in them."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Annotated, Any, ClassVar

from annotated_types import Ge

from lmcli.config import section
from lmcli.corpus.documents import Drop
from lmcli.errors import ConfigError

_HINT = 'write {name = "decontaminate", files = ["evaluation.jsonl"]}'


@section
class Decontaminate:
    """Drops documents that share runs of words with evaluation files, so that these still measure something.

    Case, accents, punctuation and the value of digits don't count. Runs of 13 words are those of Brown et al. 2020
    (arXiv 2005.14165, appendix C), who cut text around a match out, while this drops the document.
    """

    files: Annotated[tuple[str, ...], "evaluation files, folders and globs of any format that is read"] = ()
    n: Annotated[int, "words of a run; shorter texts count as a whole, from 5 words on", Ge(1)] = 13
    n_characters: Annotated[int, "characters of a run in scripts without spaces", Ge(1)] = 26
    min_matches: Annotated[int, "different runs in common, from which on a document is dropped", Ge(1)] = 1
    text_key: Annotated[str, "the only key or column of the files that counts; auto: all that are known"] = "auto"

    _evaluations: ClassVar[Any] = None  # Evaluations, which reads files: not imported before it is used

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.files

    def rooted(self, root: Path) -> Decontaminate:
        """The filter for the files that lie below `root`, as they are now; raises ConfigError when none is named."""
        from lmcli.corpus.contamination import Evaluations, located

        if not self.files:
            raise ConfigError("decontaminate names no evaluation files", _HINT)
        named = Evaluations(self.files, root.absolute(), self.n, self.n_characters, self.text_key)
        found = copy.copy(self)
        object.__setattr__(found, "_evaluations", located(named))
        return found

    def apply(self, text: str) -> str | Drop:
        if not self.files:
            return text
        from lmcli.corpus.contamination import known_runs

        if self._evaluations is None:
            return self.rooted(Path()).apply(text)
        return Drop("contaminated") if known_runs(self._evaluations).matches(text) >= self.min_matches else text
