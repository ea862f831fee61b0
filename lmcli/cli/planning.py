"""A forecast as a table for people and as data."""

from __future__ import annotations

import time

from lmcli.cli.session import Session, Shown
from lmcli.errors import ConfigError
from lmcli.project.project import Project
from lmcli.project.settings import Given
from lmcli.stages.planning import Assumed, planned
from lmcli.training.forecast import Forecast
from lmcli.training.shortage import free_bytes
from lmcli.units import duration, size


def show_plan(session: Session, given: Given, assume: Assumed) -> Shown:
    """The forecast beside the memory that is free."""
    found = planned(_project(session), given, assume, lambda: time.monotonic() - session.started)
    free = free_bytes(found.plan.device) if assume.memory is None else assume.memory
    fits = found.memory.total <= free
    lines = [f"{name:14}{value}" for name, value in rows(found, free)]
    lines += ["", *(f"{reason.what:14}{reason.choice}: {reason.why}" for reason in found.reasons)]
    return Shown({**found.to_json(), "free_memory": free, "fits": fits}, lines)


def _project(session: Session) -> Project | None:
    try:
        return session.project
    except ConfigError:
        return None


def rows(found: Forecast, free: int) -> list[tuple[str, str]]:
    plan, memory, bits = found.plan, found.memory, found.expected
    model = plan.model
    heads = "" if model.heads == "auto" else f", {model.heads} heads"
    shape = f"{model.depth} blocks of width {model.width}{heads}, context {model.context}"
    held = {"weights": memory.weights, "optimizer": memory.optimizer, "gradients": memory.gradients}
    held |= {"activations": memory.activations, "output layer": memory.head, "best so far": memory.kept}
    if memory.copied:
        held["copy to save"] = memory.copied
    parts = ", ".join(f"{name} {size(value)}" for name, value in held.items())
    short = "" if memory.total <= free else f"; TOO MUCH: {found.demand.advice(free)}"
    speed = f"{found.tokens_per_second:,.0f} tokens/s, {found.flops_per_second / 1e9:,.0f} GFLOP/s in {plan.dtype}"
    return [
        ("model", f"{plan.parameters:,} parameters: {shape}"),
        ("tokens", f"{found.tokens:,}, {plan.epochs:.2f} passes over the corpus"),
        ("steps", f"{plan.pace.steps:,} of {plan.batching.tokens:,} tokens, {plan.batching.micro_rows} rows at once"),
        ("operations", f"{found.flops:.3g} FLOP"),
        ("speed", speed),
        ("time", f"about {duration(found.seconds)}"),
        ("peak memory", f"{size(memory.total)} of {size(free)} free{short}"),
        ("", f"{parts}; not all at one time"),
        ("expected", f"{bits.low:.2f} to {bits.high:.2f} bits per byte of held-out text" if bits else "no estimate"),
    ]
