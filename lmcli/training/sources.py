"""Step number -> micro-batches. Both sources are pure functions of the data, the seed and the step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from lmcli.objectives.batch import Batch
from lmcli.objectives.objective import WindowObjective
from lmcli.objectives.supervised import Example, Supervised
from lmcli.tokens.pieces import Batches
from lmcli.training.step import step_seed


class WindowSource:
    """Windows of a token stream, `micro_rows` of them at once, or as many tokens where they are cut into pieces."""

    def __init__(self, windows: Batches, objective: WindowObjective, micro_rows: int) -> None:
        self._windows, self._objective, self._micro_rows = windows, objective, micro_rows

    def __call__(self, step: int) -> list[Batch]:
        found = self._windows.at(step - 1)
        return self._objective.batches(found, self._micro_rows * (len(found) // self._windows.batch))

    def samples(self, step: int) -> list[int]:
        """The numbers of the windows of which step `step` holds something, counted from the beginning of training."""
        return sorted({int(number) for number in self._windows.at(step - 1).numbers})


class RowSource:
    """Examples in an order drawn anew for each epoch; a step may hold the end of one epoch and the start of the next.

    With `epochs`, each example is seen exactly that often (a part of an epoch is rounded to whole examples), and the
    last step is as small as it must be.
    """

    def __init__(
        self,
        examples: Sequence[Example],
        objective: Supervised,
        *,
        rows: int,
        micro_rows: int,
        seed: int,
        epochs: float | None = None,
    ) -> None:
        self._examples, self._objective = examples, objective
        self._rows, self._micro_rows, self._seed = rows, micro_rows, seed
        self._total = None if epochs is None else max(1, round(epochs * len(examples)))
        self._order: tuple[int, np.ndarray] = (-1, np.zeros(0, dtype=np.int64))

    @property
    def steps(self) -> int | None:
        """The steps that `epochs` take; None when there is no end."""
        return None if self._total is None else -(-self._total // self._rows)

    def indices(self, step: int) -> list[int]:
        """Which examples step `step` holds, in the order drawn."""
        first = (step - 1) * self._rows
        last = first + self._rows if self._total is None else min(first + self._rows, self._total)
        return [self._at(place) for place in range(first, last)]

    def __call__(self, step: int) -> list[Batch]:
        """Examples of about the same length come together, so that little is padded."""
        chosen = sorted((self._examples[index] for index in self.indices(step)), key=lambda item: len(item.tokens))
        return [
            self._objective.batch(chosen[first : first + self._micro_rows])
            for first in range(0, len(chosen), self._micro_rows)
        ]

    def _at(self, place: int) -> int:
        epoch, within = divmod(place, len(self._examples))
        if self._order[0] != epoch:
            # Raw output, sorted: numpy promises to keep it the same in every version, unlike a Generator's permutation.
            draws = np.random.PCG64(step_seed(self._seed, epoch, 0)).random_raw(len(self._examples))
            self._order = (epoch, np.argsort(draws, kind="stable"))
        return int(self._order[1][within])
