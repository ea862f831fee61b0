"""Compiled code moves a model as its own passes do."""

from __future__ import annotations

import contextlib
import warnings

import pytest
import torch
from torch import _dynamo as dynamo

from lmcli.errors import MachineError
from lmcli.models.device import Compute
from lmcli.objectives.next_token import RunningText
from lmcli.training.config import TrainConfig
from lmcli.training.optimizers.adamw import AdamW
from lmcli.training.step import Stepper, compile_passes
from tests.training import tiny


@pytest.mark.slow
def test_compiled_passes_give_the_same_losses() -> None:
    losses = []
    for compiled in (False, True):
        model = tiny.tiny_model(0.0).train()
        objective = RunningText(tiny.END)
        stepper = Stepper(model, objective, AdamW().build(model), clip=1.0, seed=0, autocast=contextlib.nullcontext)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the compiler's own parts
            if compiled:
                compile_passes(model, "cpu")
            losses.append(
                [stepper.step(n + 1, [objective.batch(tiny.windows(n))], 1.0, lambda: None) for n in range(4)]
            )
    plain, fast = ([result.loss for result in run] for run in losses)
    torch.testing.assert_close(torch.tensor(fast), torch.tensor(plain), atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the compiler's own parts
def test_on_a_cpu_the_setting_fuses_what_lies_between_the_products() -> None:
    """Training steps alone: validation has batches of other sizes, each of which would be compiled again."""
    objective, runs = RunningText(tiny.END), []
    for compiled in (False, True):
        model = tiny.tiny_model(0.0).train()
        stepper = Stepper.of(model, objective, TrainConfig(compile=compiled), Compute("cpu", "float32", 1))
        dynamo.utils.counters.clear()
        runs.append([stepper.step(n + 1, [objective.batch(tiny.windows(n))], 1.0, lambda: None) for n in range(4)])
        made = dynamo.utils.counters["stats"]["unique_graphs"]
        assert made == (6 if compiled else 0)  # norm, gate and rotation, each there and back
        objective.evaluate(model.eval(), objective.batch(tiny.windows(0)[:1]))
        assert dynamo.utils.counters["stats"]["unique_graphs"] == made
    plain, fast = (torch.tensor([(result.loss, result.grad_norm) for result in run]) for run in runs)
    torch.testing.assert_close(fast, plain, atol=1e-4, rtol=1e-4)


def test_without_a_compiler_the_setting_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    settings = TrainConfig(compile=True)
    with pytest.raises(MachineError, match="no-such-compiler"):
        Stepper.of(tiny.tiny_model(0.0), RunningText(tiny.END), settings, Compute("cpu", "float32", 1))
