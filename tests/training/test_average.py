"""The moving average of the weights, and what L2 adds to a gradient."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from lmcli.errors import Stopped
from lmcli.objectives.next_token import RunningText
from lmcli.training.average import Averaging
from lmcli.training.config import TrainConfig
from lmcli.training.ingredients import Probe
from lmcli.training.optimizers.adamw import AdamW
from lmcli.training.optimizers.muon import Muon
from lmcli.training.run import RunDirectory
from lmcli.training.step import Stepper
from tests.training.test_loop import figures
from tests.training.test_optimizers import gradients
from tests.training.test_resume import signalled_in
from tests.training.tiny import END, STEPS, ingredients, run_digest, run_tiny, tiny_model, weights_digest, windows


def averaged(decay: float = 0.9, optimizer: AdamW | Muon | None = None, **changes: Any) -> Any:
    parts = ingredients(optimizer or AdamW(lr=0.01), **changes)
    parts.stepper.optimizer = Averaging(parts.stepper.optimizer, parts.stepper.model, decay)
    return parts


def test_the_average_is_the_recurrence_of_its_definition() -> None:
    model = tiny_model(0.0)
    expected = {name: parameter.detach().double() for name, parameter in model.named_parameters()}
    optimizer = Averaging(AdamW(lr=0.01).build(model), model, 0.3)
    for step in range(1, 6):
        gradients(model, step)
        optimizer.step(1.0)
        decay = min(0.3, (1 + step) / (10 + step))
        for name, parameter in model.named_parameters():
            expected[name] = decay * expected[name] + (1 - decay) * parameter.detach().double()
    with optimizer.shown():
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(parameter.double(), expected[name], rtol=1e-5, atol=1e-7)


def test_weights_come_back_to_the_bit_and_training_never_sees_the_average(tmp_path: Path) -> None:
    plain, parts = ingredients(AdamW(lr=0.01)), averaged()
    run_tiny(tmp_path / "plain", plain)
    run_tiny(tmp_path / "averaged", parts)
    assert weights_digest(plain.stepper.model) == weights_digest(parts.stepper.model)
    optimizer = parts.stepper.optimizer
    before = weights_digest(parts.stepper.model)
    with pytest.raises(KeyError), optimizer.shown():
        assert weights_digest(parts.stepper.model) != before
        raise KeyError
    assert weights_digest(parts.stepper.model) == before


def test_validation_probes_and_the_best_weights_are_those_of_the_average(tmp_path: Path) -> None:
    seen: dict[int, str] = {}
    probe = Probe(lambda step: True, lambda step, model: seen.update({step: weights_digest(model)}))
    parts = averaged(probes=[probe])
    validate, validated = parts.validate, []

    def noted(model: Any, check: Any) -> Any:
        validated.append(weights_digest(model))
        return validate(model, check)

    object.__setattr__(parts, "validate", noted)
    state = run_tiny(tmp_path, parts)
    assert state.best is not None
    best = RunDirectory(tmp_path, "key").checkpoints.load_best()
    model = tiny_model()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(best[name])
    assert weights_digest(model) == seen[state.best.step] == validated[-1 - (STEPS - state.best.step + 4) // 5]
    raw, _ = RunDirectory(tmp_path, "key").checkpoints.load_last()
    assert any(not torch.equal(raw[name], best[name]) for name in best)


@pytest.mark.parametrize("validate", [True, False])
def test_the_last_step_publishes_its_average(validate: bool, tmp_path: Path) -> None:
    parts = averaged(validate=figures(5, 4, 3, 2, 1) if validate else None)
    state = run_tiny(tmp_path, parts)
    assert state.best is not None
    assert state.best.step == STEPS
    best = RunDirectory(tmp_path, "key").checkpoints.load_best()
    with parts.stepper.optimizer.shown():
        assert all(torch.equal(best[name], parameter) for name, parameter in parts.stepper.model.named_parameters())


@pytest.mark.parametrize(("step", "optimizer"), [(1, AdamW), (5, Muon), (11, AdamW)])
def test_a_stop_changes_nothing(step: int, optimizer: Any, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    run_tiny(tmp_path / "whole", averaged(optimizer=optimizer()))
    with pytest.raises(Stopped):
        run_tiny(tmp_path / "cut", averaged(optimizer=optimizer(), wrap=signalled_in(step, 1)))
    run_tiny(tmp_path / "cut", averaged(optimizer=optimizer()))
    assert run_digest(tmp_path / "cut") == run_digest(tmp_path / "whole")


class Still:
    """An optimizer that notes gradients instead of stepping."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.seen: dict[str, torch.Tensor] = {}

    def step(self, scale: float) -> None:
        self.seen = {name: p.grad.clone() for name, p in self.model.named_parameters() if p.grad is not None}

    def state(self) -> dict[str, torch.Tensor]:
        return {}

    def load(self, state: Any) -> None: ...


def gradient_of(**settings: Any) -> tuple[dict[str, torch.Tensor], float, Any]:
    """What the optimizer is given, the loss that is reported, and the model."""
    import contextlib

    model, objective = tiny_model(0.0), RunningText(END)
    still = Still(model)
    stepper = Stepper(model, objective, still, seed=1, autocast=contextlib.nullcontext, **{"clip": 0.0, **settings})
    result = stepper.step(1, [objective.batch(windows(0))], 1.0, lambda: None)
    return still.seen, result.loss, model


def test_l2_is_the_gradient_of_a_penalty_on_matrices() -> None:
    plain, loss, _ = gradient_of()
    found, same_loss, model = gradient_of(l2=0.3)
    assert same_loss == loss
    weights = dict(model.named_parameters())
    penalty = 0.5 * 0.3 * sum((weight**2).sum() for weight in weights.values() if weight.ndim >= 2)
    model.zero_grad()
    penalty.backward()
    for name, gradient in found.items():
        own = weights[name].grad
        torch.testing.assert_close(gradient, plain[name] if own is None else plain[name] + own)
    assert any(weight.ndim < 2 for weight in weights.values())


def test_l2_is_clipped_with_the_rest_of_the_gradient() -> None:
    found, _, _ = gradient_of(l2=100.0, clip=1.0)
    assert torch.stack([gradient.norm() for gradient in found.values()]).norm() == pytest.approx(1.0, rel=1e-5)


def test_settings_reach_the_step() -> None:
    from lmcli.models.device import resolve_compute

    config = TrainConfig(ema=0.99, l2=0.1, device="cpu")
    stepper = Stepper.of(tiny_model(), RunningText(END), config, resolve_compute(config))
    assert isinstance(stepper.optimizer, Averaging)
    assert stepper._l2 == 0.1
