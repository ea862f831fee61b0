"""A run that a test can train dozens of times: 2 rows of 8 tokens in 2 micro-batches, 3 epochs of 7 steps."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from lmcli.models.config import ModelConfig
from lmcli.models.qwen3 import Qwen3
from lmcli.models.shape import Shape
from lmcli.objectives.batch import Batch
from lmcli.objectives.next_token import RunningText
from lmcli.objectives.objective import Objective
from lmcli.progress import Progress, Silent
from lmcli.project import durable
from lmcli.tokens.window_batch import WindowBatch
from lmcli.training.clock import Clock
from lmcli.training.ingredients import Ingredients, Source
from lmcli.training.loop import train
from lmcli.training.metrics import read_metrics
from lmcli.training.optimizers.adamw import AdamW
from lmcli.training.optimizers.muon import Muon
from lmcli.training.plan import Batching, Pace, Plan
from lmcli.training.run import RunDirectory
from lmcli.training.schedules.wsd import Wsd
from lmcli.training.sources import WindowSource
from lmcli.training.state import State
from lmcli.training.step import Stepper
from lmcli.training.validation import Validation
from lmcli.training.world import SOLO, World

END, VOCAB, CONTEXT, ROWS, EPOCH = 0, 31, 8, 2, 7
STEPS = 3 * EPOCH
STREAM = np.random.default_rng(7).integers(0, 8, EPOCH * ROWS * CONTEXT + CONTEXT + 1)

Optimizers = AdamW | Muon


class Follower(World):
    """The second of two processes on another machine, without the first: it does all the work by itself."""

    rank, size = 1, 2


def windows(step: int) -> np.ndarray:
    """Step, from 0 -> (rows, context + 1); each epoch is a permutation of the windows."""
    epoch, within = divmod(step, EPOCH)
    order = np.random.default_rng(epoch).permutation(EPOCH * ROWS)[within * ROWS : (within + 1) * ROWS]
    return np.stack([STREAM[at * CONTEXT : at * CONTEXT + CONTEXT + 1] for at in order])


class Cut:
    """`windows` as a run asks for them."""

    batch = ROWS

    def at(self, step: int) -> Any:
        numbers = np.arange(step * ROWS, (step + 1) * ROWS)
        return WindowBatch(windows(step), numbers, numbers, 0, None)  # type: ignore[arg-type]


def plan(**pace: int) -> Plan:
    return Plan(
        model=ModelConfig(width=16, depth=1, heads=1, kv_heads=1, ffn=32, context=CONTEXT, dropout=0.1),
        vocab_size=VOCAB,
        parameters=1,
        batching=Batching(rows=ROWS, micro_rows=1, tokens=ROWS * CONTEXT),
        pace=replace(Pace(steps=STEPS, eval_every=5, save_every=4, log_every=1), **pace),
        epochs=3.0,
        device="cpu",
        dtype="float32",
        threads=1,
    )


def tiny_model(dropout: float = 0.1) -> Qwen3:
    shape = Shape(vocab_size=VOCAB, width=16, depth=1, heads=1, kv_heads=1, head_dim=16, ffn=32, context=CONTEXT)
    return Qwen3(shape, dropout).initialise(3)


def validation(objective: Objective, world: World = SOLO) -> Validation:
    rows = np.random.default_rng(9).integers(0, 8, (5, CONTEXT + 1))

    def batches() -> Iterator[Batch]:
        yield from (RunningText(END).batch(rows[at : at + 2]) for at in range(0, 5, 2))

    return Validation(batches, objective, 60, autocast=contextlib.nullcontext, world=world)


def ingredients(
    optimizer: Any, *, wrap: Callable[[Source], Source] = lambda source: source, **changes: Any
) -> Ingredients:
    model, objective = tiny_model(), RunningText(END)
    stepper = Stepper(model, objective, optimizer.build(model), clip=1.0, seed=11, autocast=contextlib.nullcontext)
    parts = Ingredients(
        stepper=stepper,
        source=wrap(WindowSource(Cut(), objective, 1)),
        schedule=Wsd(),
        validate=validation(objective),
        early_stop=0,
        peak_lr=optimizer.lr,
    )
    return replace(parts, **changes)


def run_tiny(
    path: Path, parts: Ingredients, *, progress: Progress | None = None, key: str = "key", **pace: int
) -> State:
    """Train as a command would: open the run, write the plan if there is none, train to the end."""
    run = RunDirectory(path, key)
    if run.plan is None:
        run.begin(plan(**pace))
    return train(run, parts, progress or Silent(), Clock(0.0, lambda: 0.0))


def weights_digest(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, parameter in model.named_parameters():
        digest.update(name.encode() + parameter.detach().numpy().tobytes())
    return digest.hexdigest()


def run_digest(path: Path) -> dict[str, str]:
    """SHA-256 of all that a finished run must have in common with an uninterrupted one."""
    checkpoints = RunDirectory(path, "key").checkpoints
    assert checkpoints.last is not None
    assert checkpoints.best is not None
    rows = [
        {key: value for key, value in row.items() if key != "tokens_per_second"}
        for row in read_metrics(path / "metrics.jsonl")
    ]
    return {
        **{f"last {name}": digest for name, digest in checkpoints.last.digests.items() if name != "state.json"},
        "best": checkpoints.best.digests["model.safetensors"],
        "best step": str(checkpoints.best.step),
        "metrics": json.dumps(rows),
    }


@contextlib.contextmanager
def operations(hook: Callable[[str, Path], None]) -> Iterator[None]:
    durable.on_operation = hook
    try:
        yield
    finally:
        durable.on_operation = None


def seeded() -> torch.Tensor:
    """The next number of the global generator, without moving it."""
    state = torch.get_rng_state()
    value = torch.rand(1)
    torch.set_rng_state(state)
    return value
