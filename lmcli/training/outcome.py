"""What a finished run gives to the stage that asked for it."""

from __future__ import annotations

from dataclasses import dataclass

from lmcli.models.allocator import keep_freed_memory
from lmcli.models.config import ComputeConfig
from lmcli.models.decoder import Decoder
from lmcli.models.device import Compute, resolve_compute, use_threads
from lmcli.training.loop import fill
from lmcli.training.plan import Extension, Plan
from lmcli.training.run import RunDirectory
from lmcli.training.state import Ending, Figures, State

BYTES_PER_WEIGHT = 40
"""On the disk: two checkpoints with Adam's state, for the older one goes last, that before the cooldown, and the best
weights."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`model` has the weights of `best_step`, in eval mode; `best` and `last` are None without a validation side."""

    model: Decoder
    plan: Plan
    steps: int
    tokens: int
    ending: Ending
    elapsed: float
    best_step: int
    best: Figures | None
    last: Figures | None
    extension: Extension | None = None
    """The latest one, when the run was made longer."""


def outcome_of(run: RunDirectory, model: Decoder, state: State) -> Outcome:
    """The outcome of a run that is over; ArtifactError when its best weights are damaged."""
    assert run.plan is not None
    assert state.best is not None
    assert state.ending is not None
    fill(model, run.checkpoints.load_best())
    return Outcome(
        model=model.eval(),
        plan=run.plan,
        steps=state.step,
        tokens=state.tokens,
        ending=state.ending,
        elapsed=state.elapsed,
        best_step=state.best.step,
        best=state.best.figures,
        last=state.last,
        extension=run.extensions[-1] if run.extensions else None,
    )


def compute_of(config: ComputeConfig, plan: Plan | None) -> Compute:
    """Device, precision and threads: those of the plan once there is one, for others would give other weights."""
    if plan is not None:
        config = ComputeConfig(device=plan.device, dtype=plan.dtype, threads=plan.threads)  # type: ignore[arg-type]
    compute = resolve_compute(config)
    use_threads(compute)
    keep_freed_memory()
    return compute
