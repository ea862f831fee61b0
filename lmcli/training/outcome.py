"""What a finished run gives to the stage that asked for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch

from lmcli.cores import cores
from lmcli.models.allocator import keep_freed_memory
from lmcli.models.config import ComputeConfig
from lmcli.models.device import Compute, resolve_compute, use_threads
from lmcli.models.model import Model
from lmcli.training.checkpoints import fill
from lmcli.training.config import TrainConfig
from lmcli.training.plan import Extension, Plan
from lmcli.training.recorded import Course, course_of
from lmcli.training.shared_run import Run
from lmcli.training.state import Ending, Figures, State
from lmcli.training.world import SOLO, World

CHECKPOINT_BYTES = 12
"""For each weight, with Adam's state."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`model` has the weights of `best_step`, in eval mode; `best` and `last` are None without a validation side."""

    model: Model
    course: Course
    steps: int
    tokens: int
    ending: Ending
    elapsed: float
    best_step: int
    best: Figures | None
    last: Figures | None
    skipped: int = 0
    """Steps that were left out because something was not finite."""
    extension: Extension | None = None
    """The latest one, when the run was made longer."""
    vectors: Mapping[str, int] | None = None
    """How many tokens found a vector in a file of them, and how many didn't."""

    @property
    def plan(self) -> Plan:
        return self.course.plan


def outcome_of(run: Run, model: Model, state: State, world: World = SOLO) -> Outcome:
    """The outcome of a run that is over; ArtifactError when its best weights are damaged.

    Rank 0 alone has these weights: it reads them from the checkpoint, where those of a sharded model are whole again.
    """
    assert run.plan is not None
    assert state.best is not None
    assert state.ending is not None
    if world.leads:
        model = type(model)(model.shape) if world.is_sharded else model
        fill(model, run.checkpoints.load_best())
    return Outcome(
        model=model.eval(),
        course=course_of(run.plan, run.replans),
        steps=state.step,
        tokens=state.tokens,
        ending=state.ending,
        elapsed=state.elapsed,
        best_step=state.best.step,
        best=state.best.figures,
        last=state.last,
        skipped=state.health.skipped,
        extension=run.extensions[-1] if run.extensions else None,
    )


def bytes_per_weight(config: TrainConfig) -> int:
    """On the disk: the checkpoints that are kept and a new one, for an older one goes last, that before the cooldown,
    and the best weights, old and new; without an average these may be those of a checkpoint, which then stays."""
    average = 4 if config.ema else 0
    best = 4 if config.ema else CHECKPOINT_BYTES + 4
    return (config.keep + 2) * (CHECKPOINT_BYTES + average) + best


def compute_of(config: ComputeConfig, plan: Plan | None, world: World = SOLO) -> Compute:
    """Device, precision and threads: those of the plan once there is one, for others would give other weights.

    The processes on a machine divide its threads. Each has the accelerator with its local rank.
    """
    threads = config.threads
    if plan is not None:
        same = plan.processes == world.size
        threads = plan.threads * world.local_size if same else threads
        config = ComputeConfig(device=plan.device, dtype=plan.dtype, threads=threads)  # type: ignore[arg-type]
    compute = resolve_compute(config)
    if world.size > 1:
        kind = torch.device(compute.device).type
        own = kind if kind == "cpu" else f"{kind}:{world.local_rank}"
        compute = resolve_compute(ComputeConfig(device=own, dtype=compute.dtype))  # type: ignore[arg-type]
        share = max(1, (threads or cores()) // world.local_size)
        threads = share if threads else min(share, compute.threads)
        compute = replace(compute, threads=threads, processes=world.size)
    use_threads(compute)
    keep_freed_memory()
    return compute
