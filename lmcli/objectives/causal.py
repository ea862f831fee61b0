"""Predict each token of running text from those before it."""

from __future__ import annotations

import numpy as np

from lmcli.objectives.batch import Batch, make_batch
from lmcli.objectives.next_token import NextToken


class Causal(NextToken):
    """Next-token loss over windows of a stream."""

    def batch(self, windows: np.ndarray, rng: np.random.Generator | None = None) -> Batch:
        """Windows (B, T+1) as inputs and targets (B, T) that lie one token later; nothing is random."""
        windows = windows.astype(np.int64, copy=False)
        return make_batch(windows[:, :-1], windows[:, 1:])
