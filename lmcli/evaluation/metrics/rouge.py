"""ROUGE (Lin 2004) by rouge-score, which repeats ROUGE-1.5.5; its own tokenizer keeps only a-z and 0-9."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np

from lmcli.config import section
from lmcli.evaluation.metrics.scripts import words, writing
from lmcli.evaluation.scores import Tally, mean

_FIGURES = ("rouge1", "rouge2", "rougeL")


class UnicodeWords:
    """rouge-score's tokenizer interface over words of any script, and characters where a script has no spaces."""

    def tokenize(self, text: str) -> list[str]:
        return words(text)


@section
class Rouge:
    """Mean F1 of ROUGE-1, ROUGE-2 and ROUGE-L over the rows, from 0 to 1."""

    tokenizer: Annotated[
        Literal["auto", "latin", "unicode"],
        "latin is rouge-score's own (a-z, 0-9); unicode knows all scripts; auto looks at the references",
    ] = "auto"
    stemmer: Annotated[bool, "Porter stemming (English; latin tokenizer only)"] = False

    def tallies(self, predictions: Sequence[str], references: Sequence[str]) -> list[Tally]:
        from rouge_score.rouge_scorer import RougeScorer

        kind = self.tokenizer
        if kind == "auto":
            kind = "latin" if writing(references) == "latin" else "unicode"
        stemmer = self.stemmer and kind == "latin"
        tokenizer = None if kind == "latin" else UnicodeWords()
        scorer: Any = RougeScorer(list(_FIGURES), stemmer, tokenizer=tokenizer)  # type: ignore[no-untyped-call]
        scored = [scorer.score(wanted, given) for given, wanted in zip(predictions, references, strict=True)]
        version = importlib.metadata.version("rouge-score")
        signature = f"f1|tok:{kind}|stem:{'yes' if stemmer else 'no'}|rouge-score:{version}"
        rows = {name: np.array([(row[name].fmeasure, 1) for row in scored], dtype=np.float64) for name in _FIGURES}
        return [Tally(name, signature, "rows", rows[name], mean) for name in _FIGURES]
