"""Windows that are cut into pieces in the first steps of a run: text nearby is learned first, and sooner without what
lies far away (Li et al., 2022, grow the length of a sequence in the same way)."""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from lmcli.tokens.window_batch import WindowBatch


class Batches(Protocol):
    """Windows of `context` + 1 tokens, `batch` of them at each step."""

    batch: int

    def at(self, step: int) -> WindowBatch: ...


class Pieces:
    """`windows`, those of the first `steps` steps cut into `pieces` of equal length.

    These steps read the same tokens as they would in whole windows, each once and as many in a step. The pieces of a
    window come in different steps: side by side they would say much the same.
    """

    def __init__(self, windows: Batches, pieces: int, steps: int) -> None:
        self._windows, self._pieces, self._steps = windows, pieces, steps
        self.batch = windows.batch

    def at(self, step: int) -> WindowBatch:
        """(batch, context + 1) tokens, or (batch * pieces, context / pieces + 1), for step 0, 1, ..."""
        if step >= self._steps:
            return self._windows.at(step)
        parts = [self._piece(step, piece) for piece in range(self._pieces)]
        return replace(
            parts[0],
            ids=np.concatenate([part.ids for part in parts]),
            starts=np.concatenate([part.starts for part in parts]),
            numbers=np.concatenate([part.numbers for part in parts]),
        )

    def _piece(self, step: int, piece: int) -> WindowBatch:
        """That piece of each window of a step, which lies the further away the later the piece is."""
        whole = self._windows.at((step + piece * self._steps // self._pieces) % self._steps)
        length = (whole.ids.shape[1] - 1) // self._pieces
        first = piece * length
        return replace(
            whole,
            ids=whole.ids[:, first : first + length + 1],
            starts=whole.starts + first,
        )
