"""BLEU (Papineni et al. 2002) by sacrebleu, the implementation whose figures compare between papers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from lmcli.config import section
from lmcli.evaluation.metrics.scripts import Writing, writing
from lmcli.evaluation.scores import Tally

# sacrebleu's `zh` splits Han characters only: a sentence in kana or Thai stays one word under it.
_TOKENIZERS: dict[Writing, str] = {"latin": "13a", "spaced": "13a", "chinese": "zh", "unspaced": "char"}


@section
class Bleu:
    """Corpus BLEU-4 from 0 to 100; rows shorter than four tokens count for the orders they have."""

    tokenizer: Annotated[
        Literal["auto", "13a", "intl", "zh", "char", "none"],
        "how sacrebleu splits text; auto looks at the references: zh for Chinese, char where a script has no spaces",
    ] = "auto"

    def tallies(self, predictions: Sequence[str], references: Sequence[str]) -> list[Tally]:
        from sacrebleu.metrics.bleu import BLEU

        from lmcli.evaluation.metrics.sacrebleu_rows import tally

        name = _TOKENIZERS[writing(references)] if self.tokenizer == "auto" else self.tokenizer
        return [tally("bleu", BLEU(tokenize=name, force=True), predictions, references)]
