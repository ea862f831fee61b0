"""Fill in the middle: running text in which documents have their middle at the end (Bavarian et al., 2022)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lmcli.objectives.batch import Batch
from lmcli.objectives.next_token import RunningText
from lmcli.tokens.window_batch import Ids, WindowBatch

SIGNS = (("<|fim_prefix|>", "<fim_prefix>"), ("<|fim_suffix|>", "<fim_suffix>"), ("<|fim_middle|>", "<fim_middle>"))


@dataclass(frozen=True)
class Middle:
    """`share` of the documents are cut at two random places between tokens and laid out anew.

        PSM   <prefix> PREFIX <suffix> SUFFIX <middle> MIDDLE
        SPM   <prefix> <suffix> SUFFIX <middle> PREFIX MIDDLE     (`suffix_first` of these documents)

    SPM is the paper's second variant, which it trains together with PSM. A document is what a window has of it.
    """

    share: float
    suffix_first: float
    prefix_id: int
    suffix_id: int
    middle_id: int

    def __call__(self, windows: WindowBatch, row: int) -> Ids:
        """(T + 1,): the window, of which the signs push out what lies at its end."""
        ids, rng = windows.ids[row], windows.rng(row)
        parts: list[Ids] = []
        room = len(ids)
        for document in np.split(ids, windows.document_ends(row)):
            part = self._document(document, windows.stream.end_id, room, rng)
            parts.append(part)
            room -= len(part)
        return np.concatenate(parts)

    def _document(self, document: Ids, end_id: int, room: int, rng: np.random.Generator) -> Ids:
        """At most `room` tokens; what doesn't fit is cut off before the rest is laid out, so that this is whole."""
        chosen = rng.random() < self.share
        ends = len(document) > 0 and document[-1] == end_id
        text = document[: len(document) - ends][: max(0, room - 3)]
        if not chosen or len(text) < 2:
            return document[:room]
        laid = self._laid_out(text, rng)
        return np.concatenate([laid, document[len(document) - ends :]])[:room]

    def _laid_out(self, text: Ids, rng: np.random.Generator) -> Ids:
        prefix, middle, suffix = np.split(text, np.sort(rng.integers(0, len(text) + 1, 2)))
        if rng.random() < self.suffix_first:
            return np.concatenate([[self.prefix_id, self.suffix_id], suffix, [self.middle_id], prefix, middle])
        return np.concatenate([[self.prefix_id], prefix, [self.suffix_id], suffix, [self.middle_id], middle])


class MiddleText(RunningText):
    """Next-token loss over windows laid out so; validation is of plain text, so that bits per byte stay comparable."""

    def __init__(self, middle: Middle, end_id: int, label_smoothing: float = 0.0) -> None:
        super().__init__(end_id, label_smoothing)
        self._middle = middle

    def batches(self, windows: WindowBatch, micro_rows: int) -> list[Batch]:
        return [
            self.batch(np.stack([self._middle(part, row) for row in range(len(part))]))
            for part in windows.cut(micro_rows)
        ]
