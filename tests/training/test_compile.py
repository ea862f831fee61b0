"""Compiled passes move a model as its own do."""

from __future__ import annotations

import contextlib
import warnings

import pytest
import torch

from lmcli.objectives.next_token import RunningText
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
