"""sacrebleu's counts for each row, so that a resample needs no second pass over the text.

sacrebleu's own significance tests are built on these two methods with leading underscores; nothing public gives the
counts of chrF.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from lmcli.evaluation.scores import Counts, Tally

if TYPE_CHECKING:
    from sacrebleu.metrics.base import Metric


def tally(name: str, metric: Metric, predictions: Sequence[str], references: Sequence[str]) -> Tally:
    """The counts of `metric` for each row, its corpus score (0 to 100) as the figure, and its signature."""
    rows = metric._extract_corpus_statistics(list(predictions), [list(references)])

    def value(counts: Counts) -> float:
        return float(metric._compute_score_from_stats([int(count) for count in counts]).score)

    return Tally(name, str(metric.get_signature()), "rows", np.array(rows, dtype=np.float64), value)
