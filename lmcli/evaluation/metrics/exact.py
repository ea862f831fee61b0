"""The share of predictions that equal their reference."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np

from lmcli.config import section
from lmcli.evaluation.scores import Tally, mean


@section
class Exact:
    """Share from 0 to 1; outer white space and the Unicode composition of a letter make no difference, case does."""

    def tallies(self, predictions: Sequence[str], references: Sequence[str]) -> list[Tally]:
        same = [_plain(given) == _plain(wanted) for given, wanted in zip(predictions, references, strict=True)]
        rows = np.array([(match, 1) for match in same], dtype=np.float64)
        return [Tally("exact", "exact|strip:yes|norm:NFC|case:mixed", "rows", rows, mean)]


def _plain(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()
