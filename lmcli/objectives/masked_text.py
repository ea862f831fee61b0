"""The loss of masked tokens, and of the relation between two segments."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmcli.models.model import Kind
from lmcli.objectives import cross_entropy
from lmcli.objectives.batch import IGNORED, Batch, Sums
from lmcli.objectives.masking import Draws, Masking
from lmcli.objectives.objective import OverWindows, summed, targeted
from lmcli.objectives.segments import Layout, Row
from lmcli.tokens.window_batch import WindowBatch

TERM = "masked"


class MaskedText(OverWindows):
    """Cross-entropy of the chosen tokens; with pairs, that of the label of each row beside it.

    A decoder learns it too, seeing both sides. `label_smoothing` changes the loss of tokens to train on, never that of
    `evaluate`.
    """

    needs: tuple[Kind, ...] = ("encoder", "decoder")

    def __init__(self, masking: Masking, layout: Layout, *, static: bool = False, label_smoothing: float = 0.0) -> None:
        self._masking, self._layout, self._static = masking, layout, static
        self.label_smoothing = label_smoothing
        self._pair_term = None if layout.pairs == "none" else layout.pairs
        self.heads = frozenset({"tokens", "pairs"} if self._pair_term else {"tokens"})
        self.weights: Mapping[str, float] = {TERM: 1.0, **({self._pair_term: 1.0} if self._pair_term else {})}

    def batch(self, windows: WindowBatch) -> Batch:
        rows: list[Row] = []
        corrupted: list[tuple[np.ndarray, np.ndarray]] = []
        for number in range(len(windows)):
            rng = windows.rng(number)
            row = self._layout.row(windows, number, rng)
            draws = Draws.at(row.places, windows.seed) if self._static else Draws.of(rng, len(row.ids))
            rows.append(row)
            corrupted.append(self._masking(row.ids, draws, exact=not self._static))
        targets = np.stack([goal for _, goal in corrupted])
        counts = {TERM: int(np.count_nonzero(targets != IGNORED))}
        if self._pair_term:
            counts[self._pair_term] = len(rows)
        return Batch(
            inputs=_stacked([inputs for inputs, _ in corrupted]),
            targets=torch.from_numpy(targets),
            counts=counts,
            tokens=targets.size,
            types=_stacked([row.types for row in rows]) if self._pair_term else None,
            labels=torch.tensor([row.label for row in rows]) if self._pair_term else None,
        )

    def losses(self, model: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        return self._losses(model, batch, self.label_smoothing)

    def evaluate(self, model: nn.Module, batch: Batch) -> Sums:
        with torch.no_grad():
            return summed(self._losses(model, batch, 0.0), batch)

    def _losses(self, model: Any, batch: Batch, smoothing: float) -> Mapping[str, Tensor]:
        hidden_btd = read(model, batch)
        states, targets = targeted(hidden_btd, batch.targets)
        found = {TERM: cross_entropy.summed(model.before_output(states), model.output, targets, smoothing)}
        if self._pair_term:
            assert batch.labels is not None
            logits = model.pair_logits(hidden_btd)
            found[self._pair_term] = F.cross_entropy(logits, batch.labels, reduction="sum", ignore_index=IGNORED)
        return found


def read(model: Any, batch: Batch) -> Tensor:
    """The states (b, t, d) of a model of either kind that sees both sides."""
    if model.kind == "decoder":
        return model.hidden(batch.inputs, sight="both")  # type: ignore[no-any-return]
    return model.hidden(batch.inputs, types_bt=batch.types)  # type: ignore[no-any-return]


def _stacked(rows: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(rows))
