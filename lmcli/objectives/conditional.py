"""Write a target, given a source that is read as a whole: by an encoder, or as a prefix that sees itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import nn

from lmcli.errors import ConfigError
from lmcli.models.model import Kind
from lmcli.objectives.batch import IGNORED, Batch, Sums, make_pairs, padded
from lmcli.objectives.next_token import NextToken
from lmcli.objectives.noise import Noise, Pair
from lmcli.objectives.objective import OverWindows
from lmcli.tokens.window_batch import WindowBatch


class Conditional(OverWindows, NextToken):
    """Cross-entropy of the targets that `noise` makes of windows.

    An encoder-decoder reads the source and begins its targets with `start_id`. A decoder has both in one row, as a
    prefix LM: the source sees all of itself, the target what lies to the left; so has an encoder (UniLM's
    sequence-to-sequence mask, Dong et al., 2019).
    """

    needs: tuple[Kind, ...] = ("encoder-decoder", "decoder", "encoder")

    def __init__(
        self, term: str, noise: Noise, kind: Kind, *, end_id: int, start_id: int, label_smoothing: float = 0.0
    ) -> None:
        self.term = term
        super().__init__(end_id, label_smoothing)
        self._noise, self._kind, self._start_id = noise, kind, start_id
        self.looks_right = kind != "encoder-decoder"  # whose encoder does so by itself

    def batch(self, windows: WindowBatch) -> Batch:
        pairs = [self._pair(windows, row) for row in range(len(windows))]
        batch = self._apart(pairs) if self._kind == "encoder-decoder" else self._in_one_row(pairs)
        return replace(batch, tokens=len(windows) * (windows.ids.shape[1] - 1))

    def evaluate(self, model: nn.Module, batch: Batch) -> Sums:
        """Its targets aren't the whole text, so that they count for none."""
        return replace(super().evaluate(model, batch), text_nats=0.0)

    def _pair(self, windows: WindowBatch, row: int) -> Pair:
        """As much of a window, from its beginning, as fits with its signs into the model's context."""
        context = windows.ids.shape[1] - 1
        length = context + 1
        while length > 1:
            pair = self._noise(windows, row, length)
            source, target = len(pair.source), len(pair.target)
            size = max(source, target) if self._kind == "encoder-decoder" else source + target - 1
            if size <= context:
                return pair
            length = min(length - 1, length * context // size)
        raise ConfigError(f"model.context = {context} is too short for {self.term}", "set a longer one")

    def _apart(self, pairs: Sequence[Pair]) -> Batch:
        return make_pairs(self.term, [pair.source for pair in pairs], [pair.target for pair in pairs], self._start_id)

    def _in_one_row(self, pairs: Sequence[Pair]) -> Batch:
        rows = [np.concatenate(pair) for pair in pairs]
        goals = [np.append(np.full(len(pair.source) - 1, IGNORED), pair.target) for pair in pairs]
        return Batch(
            inputs=padded([row[:-1] for row in rows], self._start_id),
            targets=padded(goals, IGNORED),
            seen=torch.tensor([len(pair.source) for pair in pairs]),
            counts={self.term: sum(len(pair.target) for pair in pairs)},
            tokens=0,
        )
