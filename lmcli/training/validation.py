"""Loss over a whole validation side, as exact sums; several processes share its batches."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Any

from torch import nn

from lmcli.objectives.batch import Batch, Sums
from lmcli.objectives.objective import Objective
from lmcli.training.state import Figures
from lmcli.training.world import SOLO, World


class Validation:
    """Called with a model; draws no random number and leaves the model in the mode in which it was."""

    def __init__(
        self,
        batches: Callable[[], Iterable[Batch]],
        objective: Objective,
        text_bytes: int | None,
        *,
        device: str = "cpu",
        autocast: Callable[[], AbstractContextManager[Any]],
        world: World = SOLO,
    ) -> None:
        """`batches` gives the same batches at each call.

        Together their text targets stand for `text_bytes` bytes; None where they aren't the whole text.
        """
        self._batches = batches
        self._objective = objective
        self._text_bytes = text_bytes
        self._device = device
        self._autocast = autocast
        self._world = world

    def __call__(self, model: nn.Module, check: Callable[[], None]) -> Figures:
        """Loss, its terms and bits per byte; `check` is called before each batch and may raise."""
        sums = Sums()
        mode = model.training
        model.eval()
        try:
            for _, batch in self._world.share(self._batches()):
                check()
                with self._autocast():
                    sums += self._objective.evaluate(model, batch.to(self._device))
        finally:
            model.train(mode)
        return self._figures(sums)

    def _figures(self, own: Sums) -> Figures:
        """Of all processes; `own` are the sums of this one."""
        weights = self._objective.weights
        nats = self._world.sum(*(own.nats.get(term, 0.0) for term in weights))
        counts = self._world.sum(*(own.counts.get(term, 0) for term in weights))
        (text_nats,) = self._world.sum(own.text_nats)
        means = {term: mean / max(1, count) for term, mean, count in zip(weights, nats, counts, strict=True)}
        bits = text_nats / math.log(2) / self._text_bytes if self._text_bytes else None
        loss = sum(weights[term] * mean for term, mean in means.items())
        return Figures(loss, bits, means if len(means) > 1 else {})
