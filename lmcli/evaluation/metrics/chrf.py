"""chrF (Popović 2015) by sacrebleu: character n-grams, so it needs no word boundaries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge, Le

from lmcli.config import section
from lmcli.evaluation.scores import Tally


@section
class Chrf:
    """Corpus chrF2 from 0 to 100; chrF++ with a word order of 2."""

    word_order: Annotated[int, "word n-grams to count beside characters: 0 is chrF, 2 is chrF++", Ge(0), Le(2)] = 0

    def tallies(self, predictions: Sequence[str], references: Sequence[str]) -> list[Tally]:
        from sacrebleu.metrics.chrf import CHRF

        from lmcli.evaluation.metrics.sacrebleu_rows import tally

        return [tally("chrf", CHRF(word_order=self.word_order), predictions, references)]
