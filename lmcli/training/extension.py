"""Making a run longer after its cooldown: back to the checkpoint before it, and on to a later end.

A run whose length is told at its beginning ("train.extend = 2x" in lmcli.toml, or `lmcli run` in a new place) goes
through without the first cooldown, and ends with the same weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

from lmcli.config import name_of
from lmcli.errors import ArtifactError, ConfigError
from lmcli.project import durable
from lmcli.training.length import LONGER_HINT, Length, parse_longer
from lmcli.training.plan import Extension, Plan
from lmcli.training.run import RunDirectory
from lmcli.training.schedules import SCHEDULES
from lmcli.training.shared_run import Run
from lmcli.training.state import State


def cooldown_start(schedule: Any) -> float | None:
    """The share of a run after which its schedule cools down; None for schedules that depend on the end throughout."""
    start = getattr(schedule, "cooldown_start", None)
    return start if start else None


def extended(asked: str, run: Run, state: State, start: float, of: str | None = None) -> Extension:
    """The extension of `run`, which stands at `state` before its cooldown: never shorter than the run is.

    A time counts in steps of the pace so far, and gives no more passes over the corpus than it would give a new run;
    amounts are counted from the length that the run had at first, so that the same words mean the same end however
    often they are said.
    """
    assert run.plan is not None
    longer, first = parse_longer(asked), run.timeline.unextended.steps
    if longer.length is None:
        steps = round(longer.factor * first)
    else:
        steps = _steps(longer.length, run.plan, state) + (first if longer.kind == "more" else 0)
        steps = int(min(steps, _most_steps(asked, run.plan)))
    return Extension(asked, state.step, max(steps, run.timeline.steps), start, of)


def _most_steps(asked: str, plan: Plan) -> float:
    length = parse_longer(asked).length
    return plan.budget.most_steps if plan.budget and length and length.unit == "seconds" else math.inf


def outlook(run: RunDirectory | None, asked: str, schedule: Any) -> Literal["longer", "full", "anew"]:
    """How a run that is over gets to the end that `asked` means.

    It can be made "longer"; it is "full", for a time gives no more passes over the corpus; or a new run is needed.
    """
    start = cooldown_start(schedule)
    if run is None or run.plan is None or start is None:
        return "anew"
    if run.extensions and run.extensions[-1].asked == asked:
        return "longer"
    if run.timeline.steps >= _most_steps(asked, run.plan):
        return "full"
    if run.checkpoints.stable is None:
        return "anew"
    later = extended(asked, run, run.checkpoints.stable_state(), start)
    return "longer" if later.steps > run.timeline.steps else "anew"


def asker(asked: str, run: Run, schedule: Any) -> Callable[[State], Extension]:
    """`extended` for a loop that meets the cooldown on its way."""
    start = cooldown_start(schedule)
    assert start is not None
    if not run.extensions and start * run.timeline.steps < 0.5:
        message = f"train.extend = {asked}: of the {run.timeline.steps} steps none comes before the cooldown"
        raise ConfigError(message, "train longer in the first place: set train.length, and leave train.extend out")
    return lambda state: extended(asked, run, state, start)


def _steps(length: Length, plan: Plan, state: State) -> int:
    if length.unit == "seconds":
        return round(length.amount * state.step / max(state.elapsed, 1e-9))
    if length.unit == "epochs":
        return round(length.amount * plan.pace.steps / plan.epochs)
    return int(length.amount)


def settle(run: RunDirectory, asked: str, schedule: Any, of: str | None) -> None:
    """Bring a run that is past the point in question to the extension that is asked for; others meet it on their way.

    `of` is the digest of the model that the run has made. What the run did after the checkpoint before its cooldown is
    dropped, only its metrics are kept. A run that was extended and is to be so no more is moved aside. Raises
    ConfigError for a schedule without a cooldown and for what is no longer than the run is, ArtifactError without such
    a checkpoint.
    """
    start = cooldown_start(schedule)
    if asked and start is None:
        name = name_of(SCHEDULES, schedule)
        hint = "train with the schedule wsd, or train the model further as a new one with --continue-from"
        raise ConfigError(f"train.extend: the schedule {name} has no stretch before a cooldown to go on from", hint)
    if run.plan is None or asked == (run.extensions[-1].asked if run.extensions else ""):
        return
    if not asked:
        run.leave(f"it was extended ({run.extensions[-1].asked}), and now it is not to be")
        return
    assert start is not None
    if run.checkpoints.stable is None:
        _check_on_its_way(run)
        return
    _go_back(run, asked, start, of)


def _check_on_its_way(run: RunDirectory) -> None:
    state = run.checkpoints.state()
    if state is not None and state.ending:
        message = f"the run in {run.path.name} ended after step {state.step} ({state.ending}) with no checkpoint"
        hint = "train a new model further from it with --continue-from, or train anew with --force"
        raise ArtifactError(f"{message} from before a cooldown to go on from", hint)


def _go_back(run: RunDirectory, asked: str, start: float, of: str | None) -> None:
    """First back, then the log: a crash between the two leaves a run that is about to be extended, not a lie."""
    before = run.timeline.steps
    extension = extended(asked, run, run.checkpoints.stable_state(), start, of)
    if extension.steps <= before:
        message = f"train.extend = {asked} makes no longer run: {before} steps are done or planned already"
        if run.plan and before >= _most_steps(asked, run.plan):
            message += ", and a time makes no more passes over the corpus"
        raise ConfigError(message, LONGER_HINT)
    _keep_metrics(run, before)
    run.checkpoints.rewind()
    run.log_extension(extension)


def _keep_metrics(run: RunDirectory, steps: int) -> None:
    target = run.path / f"metrics-until-{steps:08d}.jsonl"
    if run.metrics.path.exists() and not target.exists():
        durable.write(target, run.metrics.path.read_bytes())
