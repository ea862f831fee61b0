"""The estimate of a step's memory beside what processes really take."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
import torch

from lmcli.config import decode
from lmcli.models.qwen3 import Qwen3
from lmcli.models.shape import Shape
from lmcli.training import memory
from lmcli.training.config import TrainConfig
from lmcli.training.optimizers import OPTIMIZERS
from lmcli.training.optimizers.optimizer import is_matrix

SHAPE = Shape(vocab_size=300, width=64, depth=2, heads=1, kv_heads=1, head_dim=64, ffn=192, context=32)
PLAIN = {"width": 128, "depth": 4, "context": 128, "rows": 32, "micro_rows": 32, "vocabulary": 65, "steps": 2}
QUICK: list[dict[str, Any]] = [
    {"dtype": "float32", "optimizer": "adamw"},
    {"dtype": "bfloat16", "optimizer": "muon", "width": 256, "rows": 4, "micro_rows": 2},
]
MORE: list[dict[str, Any]] = [
    {"dtype": "float32", "optimizer": "muon", "depth": 2, "vocabulary": 8000, "rows": 8, "micro_rows": 8},
    {"dtype": "float32", "optimizer": "adafactor", "width": 512, "depth": 4, "rows": 1, "micro_rows": 1},
    {"dtype": "float32", "optimizer": "adamw", "width": 256, "depth": 6, "recompute": True},
    {"dtype": "bfloat16", "optimizer": "adamw", "width": 384, "depth": 6, "context": 256, "rows": 16, "micro_rows": 16},
    {"dtype": "float32", "optimizer": "muon", "width": 384, "depth": 6, "context": 256, "rows": 16, "micro_rows": 4},
    {"dtype": "bfloat16", "optimizer": "muon", "width": 512, "depth": 8, "context": 256, "rows": 8, "micro_rows": 8},
    {"dtype": "bfloat16", "optimizer": "adamw", "width": 512, "depth": 2, "vocabulary": 30000, "context": 256},
]


def check(case: dict[str, Any]) -> None:
    line = [sys.executable, "-m", "tests.training.measured_memory", json.dumps({**PLAIN, **case})]
    found = json.loads(subprocess.run(line, check=True, capture_output=True, text=True).stdout)
    assert 0.75 <= found["estimate"] / found["peak"] <= 1.25, found


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("case", QUICK, ids=str)
def test_the_estimate_is_within_a_quarter_of_the_peak(case: dict[str, Any]) -> None:
    check(case)


@pytest.mark.slow
@pytest.mark.parametrize("case", MORE, ids=str)
def test_the_estimate_is_within_a_quarter_of_the_peak_of_more_shapes(case: dict[str, Any]) -> None:
    check(case)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_state_of_an_optimizer_is_what_the_table_says(name: str) -> None:
    model = Qwen3(SHAPE).initialise(0)
    for parameter in model.parameters():  # some make their state with the first step
        parameter.grad = torch.ones_like(parameter)
    optimizer = decode(TrainConfig, {"optimizer": {"name": name}}).optimizer.build(model)
    optimizer.step(1.0)
    held = sum(tensor.numel() * tensor.element_size() for tensor in optimizer.state().values())
    matrices = sum(p.numel() for key, p in model.named_parameters() if is_matrix(key, p))
    factors = memory.OPTIMIZERS.get(name, memory.ANY_OPTIMIZER)
    expected = factors.matrix * matrices + factors.other * (SHAPE.parameters - matrices)
    if name in memory.OPTIMIZERS:  # adafactor's rows and columns of these small matrices are a tenth of a byte
        assert held == pytest.approx(expected, rel=0.01, abs=0.1 * SHAPE.parameters)
    else:
        assert held <= 1.01 * expected


def estimated(**changes: Any) -> memory.Memory:
    asked: dict[str, Any] = {"micro_rows": 8, "accumulates": False, "dtype": "float32", "optimizer": "adamw"}
    return memory.estimated(SHAPE, **{**asked, **changes})


def test_more_rows_take_more_and_accumulation_keeps_gradients() -> None:
    assert estimated(micro_rows=16).activations == 2 * estimated().activations
    assert estimated(micro_rows=64, accumulates=True).step > estimated(micro_rows=64).step
    assert estimated().total - estimated(keeps_best=False).total == 4 * SHAPE.parameters
