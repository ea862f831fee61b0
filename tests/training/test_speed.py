from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn

from lmcli.models.device import Compute
from lmcli.objectives.batch import Batch, Sums
from lmcli.objectives.next_token import RunningText
from lmcli.training.config import TrainConfig
from lmcli.training.optimizers.adamw import AdamW
from lmcli.training.speed import measure
from lmcli.training.step import Stepper, StepResult
from lmcli.training.world import SOLO
from tests.training.tiny import END, ingredients, seeded, tiny_model, weights_digest


class Ticking:
    """A stepper whose first step takes 10 s, its second 1 s and all others 2 s, on its own clock."""

    def __init__(self) -> None:
        self.time = 0.0
        self.steps = 0
        self.model = ingredients(AdamW()).stepper.model
        self.world = SOLO

    def step(self, number: int, batches: object, scale: float, check: object) -> StepResult:
        self.time += (10.0, 1.0, 2.0)[min(self.steps, 2)]
        self.steps += 1
        return StepResult(1.0, 1.0, 1, {})

    def evaluate(self, batch: Batch) -> Sums:
        return Sums()


@pytest.mark.parametrize(
    ("seconds", "steps", "middle"), [(0.0, 3, 1.5), (16.0, 4, 2.0), (20.0, 6, 2.0), (1e9, 20, 2.0)]
)
def test_the_middle_step_counts_and_the_time_is_kept(seconds: float, steps: int, middle: float) -> None:
    stepper = Ticking()
    batches = ingredients(AdamW()).source(1)
    speed = measure(stepper, batches, seconds, lambda: stepper.time)  # type: ignore[arg-type]
    assert stepper.steps == steps
    assert speed.train == pytest.approx(middle / sum(batch.tokens for batch in batches))


def test_measuring_leaves_the_weights_and_the_global_random_state_alone() -> None:
    parts = ingredients(AdamW(weight_decay=0.5))
    before, random = weights_digest(parts.stepper.model), seeded()
    speed = measure(parts.stepper, parts.source(1), 0.0)
    assert weights_digest(parts.stepper.model) == before
    assert torch.equal(seeded(), random)
    assert speed.train > 0
    assert speed.validate > 0


class Watched(RunningText):
    """Notes the batches that it evaluates, and in which precision their products would be."""

    def __init__(self) -> None:
        super().__init__(END)
        self.found: list[tuple[bool, torch.dtype | None]] = []

    def evaluate(self, model: nn.Module, batch: Batch) -> Sums:
        precise = not torch.is_autocast_enabled("cpu")
        self.found.append((batch.part == "moved", None if precise else torch.get_autocast_dtype("cpu")))
        return super().evaluate(model, batch)


def test_validation_is_measured_on_the_device_and_in_the_precision_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Batch, "to", lambda batch, device: replace(batch, part="moved"))
    objective = Watched()
    stepper = Stepper.of(tiny_model(), objective, TrainConfig(), Compute("cpu", "bfloat16", 1))
    measure(stepper, ingredients(AdamW()).source(1), 0.0)
    assert objective.found == [(True, torch.bfloat16)] * 2
