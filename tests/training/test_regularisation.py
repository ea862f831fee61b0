"""What is added to the loss, and what is computed twice: exact in what they change, and in what they don't."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lmcli.models.device import Compute
from lmcli.models.qwen3 import Qwen3
from lmcli.objectives.next_token import RunningText
from lmcli.objectives.supervised import Example, Supervised
from lmcli.training import memory
from lmcli.training.config import TrainConfig
from lmcli.training.optimizers.adamw import AdamW
from lmcli.training.optimizers.sgd import Sgd
from lmcli.training.step import Stepper
from tests.objectives import single
from tests.training.tiny import END, tiny_model, windows

Autocast = Callable[[], AbstractContextManager[Any]]


def inputs() -> torch.Tensor:
    return torch.from_numpy(windows(0))[:, :-1]


def bfloat16() -> AbstractContextManager[Any]:
    return torch.autocast("cpu", dtype=torch.bfloat16)


def trained(optimizer: Any, steps: int = 3, *, autocast: Autocast = contextlib.nullcontext, **changes: Any) -> Qwen3:
    """A tiny model after some steps of two micro-batches, with dropout unless a model is given."""
    model, recompute = changes.pop("model", None) or tiny_model(), changes.pop("recompute", False)
    model.recompute = recompute
    objective = RunningText(END)
    stepper = Stepper(
        model.train(), objective, optimizer.build(model), **{"clip": 1.0, "seed": 5, **changes}, autocast=autocast
    )
    for step in range(1, steps + 1):
        parts = [objective.batch(windows(step)[row : row + 1]) for row in range(2)]
        assert stepper.step(step, parts, 1.0, lambda: None).finite
    return model


def test_l2_is_the_gradient_of_the_penalty_in_the_loss() -> None:
    plain = Sgd(lr=0.5, momentum=0.0, nesterov=False)
    found = trained(plain, 1, model=tiny_model(0.0), clip=0.0, l2=0.03)
    expected, objective = tiny_model(0.0), RunningText(END)
    nats, count = single.loss(objective, expected, objective.batch(windows(1)))
    squares = sum(parameter.square().sum() for parameter in expected.parameters() if parameter.ndim >= 2)
    (nats / count + 0.03 / 2 * squares).backward()
    for mine, other in zip(found.parameters(), expected.parameters(), strict=True):
        torch.testing.assert_close(mine, other - 0.5 * other.grad)


def test_l2_is_decoupled_decay_under_plain_descent_but_not_under_adam() -> None:
    def norm(model: Qwen3) -> float:
        return float(sum(p.detach().square().sum() for p in model.parameters() if p.ndim >= 2))

    start = norm(tiny_model())
    plain = Sgd(lr=0.1, momentum=0.0, nesterov=False)
    before, after = trained(plain, 1, clip=0.0), trained(plain, 1, clip=0.0, l2=0.5)
    for name, parameter in tiny_model().named_parameters():
        shrunk = 0.1 * 0.5 * parameter if parameter.ndim >= 2 else torch.zeros_like(parameter)
        torch.testing.assert_close(after.get_parameter(name), before.get_parameter(name) - shrunk)
    adam = AdamW(lr=1e-3, weight_decay=0.0)
    penalised = norm(trained(adam, 1, clip=0.0, l2=0.5))
    assert norm(trained(AdamW(lr=1e-3, weight_decay=0.5), 1, clip=0.0)) != pytest.approx(penalised, rel=1e-4)
    assert penalised < start


def test_the_norm_that_is_told_and_clipped_has_the_penalty_in_it() -> None:
    objective, model = RunningText(END), tiny_model(0.0)
    stepper = Stepper(model, objective, Sgd().build(model), clip=1.0, l2=1e3, seed=0, autocast=contextlib.nullcontext)
    norm = torch.sqrt(sum((1e3 * p.detach()).square().sum() for p in model.parameters() if p.ndim >= 2))
    result = stepper.step(1, [objective.batch(windows(1))], 1.0, lambda: None)
    assert result.grad_norm == pytest.approx(float(norm), rel=0.05)
    assert result.loss < 10


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_smoothing_is_that_of_torch_in_training_and_absent_in_validation(smoothing: float) -> None:
    model = tiny_model(0.0)
    batch = RunningText(END).batch(windows(0))
    logits, targets = model(batch.inputs).flatten(0, 1), batch.targets.flatten()
    loss, _ = single.loss(RunningText(END, smoothing), model, batch)
    expected = F.cross_entropy(logits, targets, label_smoothing=smoothing, reduction="sum")
    torch.testing.assert_close(loss, expected)
    found = RunningText(END, smoothing).evaluate(model, batch)
    assert found == RunningText(END).evaluate(model, batch)
    assert single.total(found)[0] == pytest.approx(
        float(F.cross_entropy(logits.detach(), targets, reduction="sum")), rel=1e-5
    )


def test_smoothing_of_completions_counts_their_targets_only() -> None:
    model = tiny_model(0.0)
    examples = [Example(np.array([3, 4, 5, 6]), 2), Example(np.array([7, 8]), 1)]
    batch = Supervised(END, 0.3).batch(examples)
    loss, count = single.loss(Supervised(END, 0.3), model, batch)
    logits = model(batch.inputs).flatten(0, 1)
    expected = F.cross_entropy(logits, batch.targets.flatten(), label_smoothing=0.3, reduction="sum")
    torch.testing.assert_close(loss, expected)
    assert count == 3


@pytest.mark.parametrize("autocast", [contextlib.nullcontext, bfloat16])
def test_activations_computed_again_give_the_same_bits(autocast: Autocast) -> None:
    kept, again = (trained(AdamW(), recompute=recompute, autocast=autocast) for recompute in (False, True))
    for mine, other in zip(kept.parameters(), again.parameters(), strict=True):
        assert torch.equal(mine, other)
        assert mine.grad is other.grad is None


def test_less_is_kept_for_the_backward_pass() -> None:
    def kept(recompute: bool) -> int:
        model, sizes = tiny_model().train(), []
        model.recompute = recompute
        weights = {parameter.data_ptr() for parameter in model.parameters()}
        with torch.autograd.graph.saved_tensors_hooks(
            lambda saved: sizes.append(saved.numel() * (saved.data_ptr() not in weights)) or saved, lambda saved: saved
        ):
            model.hidden(inputs())
        return sum(sizes)

    assert kept(True) < kept(False) / 4


def test_the_settings_reach_the_step_and_the_estimate() -> None:
    model = tiny_model()
    config = TrainConfig(optimizer=Sgd(momentum=0.0, nesterov=False, lr=0.5), clip=0.0, l2=0.03, recompute=True)
    stepper = Stepper.of(model, RunningText(END), config, Compute("cpu", "float32", 1))
    assert model.recompute
    stepper.step(1, [RunningText(END).batch(windows(1))], 1.0, lambda: None)
    less, more = (
        memory.estimated(
            model.shape, micro_rows=64, accumulates=False, dtype="float32", optimizer="sgd", recompute=recompute
        )
        for recompute in (True, False)
    )
    assert less.activations > more.activations  # with one block, what enters it comes on top


def test_evaluation_and_generation_compute_once() -> None:
    model = tiny_model().eval()
    expected = model(inputs())
    model.recompute = True
    assert torch.equal(model(inputs()), expected)
    cache = model.new_cache(16)
    model.train().hidden(inputs(), cache)
    assert cache.length == inputs().shape[1]
