"""Prints the peak memory of a few training steps, in bytes, without what the imports take, and the estimate for them.

python -m tests.training.measured_memory '{"width": 128, "depth": 2, "context": 64, "rows": 8, "micro_rows": 8,
    "vocabulary": 500, "dtype": "float32", "optimizer": "muon", "steps": 3}'
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from lmcli.config import decode
from lmcli.models.config import ComputeConfig, ModelConfig
from lmcli.models.device import resolve_compute, use_threads
from lmcli.models.qwen3 import Qwen3
from lmcli.models.shape import Shape
from lmcli.objectives.batch import make_batch
from lmcli.objectives.next_token import RunningText
from lmcli.training import ladder, memory
from lmcli.training.config import TrainConfig
from lmcli.training.step import Stepper


def shape_of(asked: Mapping[str, Any]) -> Shape:
    dials = ModelConfig(depth=asked["depth"], ffn=asked.get("ffn", "auto"))
    rung = ladder.Rung(asked["width"], 1)
    return Qwen3.shape_of(ladder.dials(dials, rung, asked["context"], 0.0, True), asked["vocabulary"])


def estimate(asked: Mapping[str, Any]) -> memory.Memory:
    return memory.estimated(
        shape_of(asked),
        micro_rows=asked["micro_rows"],
        accumulates=asked["micro_rows"] < asked["rows"],
        dtype=asked["dtype"],
        optimizer=asked["optimizer"],
        keeps_best=False,
        recompute=asked.get("recompute", False),
    )


def resident(key: str) -> int:
    """Bytes of VmRSS (now) or VmHWM (the most so far)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) * 1024


def train(asked: Mapping[str, Any]) -> None:
    config = decode(
        TrainConfig, {"optimizer": {"name": asked["optimizer"]}, "recompute": asked.get("recompute", False)}
    )
    compute = resolve_compute(ComputeConfig(device="cpu", dtype=asked["dtype"], threads=asked.get("threads", 2)))
    use_threads(compute)
    shape = shape_of(asked)
    model = Qwen3(shape, 0.0).initialise(0).train()
    stepper = Stepper.of(model, RunningText(0), config, compute)
    ids = torch.randint(shape.vocab_size, (asked["rows"], shape.context + 1))
    inputs, targets = ids[:, :-1].contiguous(), ids[:, 1:].contiguous()
    pieces = zip(inputs.split(asked["micro_rows"]), targets.split(asked["micro_rows"]), strict=True)
    batches = [make_batch("causal", piece.numpy(), goal.numpy()) for piece, goal in pieces]
    for step in range(1, asked.get("steps", 3) + 1):
        stepper.step(step, batches, 1.0, lambda: None)


def main() -> None:
    asked = json.loads(sys.argv[1])
    before = resident("VmRSS")
    train(asked)
    print(json.dumps({"peak": resident("VmHWM") - before, "estimate": estimate(asked).step}))  # noqa: T201


if __name__ == "__main__":
    main()
