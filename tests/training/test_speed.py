from __future__ import annotations

import pytest
import torch

from lmcli.objectives.next_token import RunningText
from lmcli.training.optimizers.adamw import AdamW
from lmcli.training.speed import measure
from lmcli.training.step import StepResult
from lmcli.training.world import SOLO
from tests.training.tiny import END, ingredients, seeded, weights_digest


class Ticking:
    """A stepper whose steps take 10 s the first time and 2 s from then on, on its own clock."""

    def __init__(self) -> None:
        self.time = 0.0
        self.steps = 0
        self.model = ingredients(AdamW()).stepper.model
        self.world = SOLO

    def step(self, number: int, batches: object, scale: float, check: object) -> StepResult:
        self.time += 2.0 if self.steps else 10.0
        self.steps += 1
        return StepResult(1.0, 1.0, 1, {})


@pytest.mark.parametrize(("seconds", "steps"), [(0.0, 3), (12.5, 3), (18.5, 5), (1e9, 20)])
def test_the_quickest_step_counts_and_the_time_is_kept(seconds: float, steps: int) -> None:
    stepper = Ticking()
    batches = ingredients(AdamW()).source(1)
    speed = measure(stepper, RunningText(END), batches, seconds, lambda: stepper.time)  # type: ignore[arg-type]
    assert stepper.steps == steps
    assert speed.train == pytest.approx(2.0 / sum(batch.tokens for batch in batches))


def test_measuring_leaves_the_weights_and_the_global_random_state_alone() -> None:
    parts = ingredients(AdamW(weight_decay=0.5))
    before, random = weights_digest(parts.stepper.model), seeded()
    speed = measure(parts.stepper, RunningText(END), parts.source(1), 0.0)
    assert weights_digest(parts.stepper.model) == before
    assert torch.equal(seeded(), random)
    assert speed.train > 0
    assert speed.validate > 0
