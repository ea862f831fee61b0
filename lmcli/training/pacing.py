"""How many steps, and how often to validate and to save: arithmetic over what was measured."""

from __future__ import annotations

import bisect
import functools
import math
from collections.abc import Callable

from lmcli.progress import Progress
from lmcli.training.config import TrainConfig
from lmcli.training.plan import Budget, Pace, Plan, Replan
from lmcli.training.speed import Speed

EVALUATION_SHARE = 0.03
"""Of the time of training, at most this much goes into validations before the last one."""
SAVE_SECONDS = 30.0
"""Work that a kill may cost when speed is known, unless that would take more than SAVE_SHARE of the time."""
SAVE_SHARE = 0.01
DISK = 150e6
"""Bytes a second that a slow disk takes."""
MARGIN = 0.01
"""Of the budget, kept for what nobody foresees."""
LOG_ROWS = 2000
"""About as many rows a run logs at most."""


def fixed_pace(steps: int, step_tokens: float, validation_tokens: int, config: TrainConfig) -> Pace:
    """For a length in steps or epochs; a validation token costs a third, for there is no backward pass."""
    every = config.eval_every
    if every == "auto":
        every = _evaluations(steps, validation_tokens / step_tokens / 3)
    save = max(1, min(500, math.ceil(steps / 10))) if config.save_every == "auto" else config.save_every
    return Pace(steps, every, save, max(1, math.ceil(steps / LOG_ROWS)))


def timed_pace(
    budget: Budget, elapsed: float, speed: Speed, step_tokens: float, validation_tokens: int, config: TrainConfig
) -> Pace:
    """The steps, at least 1 and at most the budget's, that fit what is left of it with the validations between them."""
    left = budget.seconds * (1 - MARGIN) - budget.closing_seconds - elapsed
    step, validation = speed.train * step_tokens, speed.validate * validation_tokens

    def every(steps: int) -> int:
        return _evaluations(steps, validation / step) if config.eval_every == "auto" else config.eval_every

    def seconds(steps: int) -> float:
        return steps * step + validation * (math.ceil(steps / every(steps)) - 1)

    most = max(1, min(budget.most_steps, int(left / step)))
    steps = max(1, bisect.bisect_right(range(1, most + 1), left, key=seconds))
    seconds_apart = max(SAVE_SECONDS, budget.saving_seconds / SAVE_SHARE)
    save = max(1, int(seconds_apart / step)) if config.save_every == "auto" else config.save_every
    return Pace(steps, every(steps), save, max(1, math.ceil(steps / LOG_ROWS)))


def tell_shortness(plan: Plan, length: str, elapsed: float, progress: Progress) -> None:
    """Say that a time leaves no more than the one step that every run takes."""
    if plan.budget is None:
        return
    what = None
    if elapsed >= plan.budget.seconds:
        what = "were over before the first step"
    elif plan.pace.steps == 1 < plan.budget.most_steps:
        what = "leave time for no more, beside what comes after the last step"
    if what:
        progress.warn(f"{length} {what}: steps to train are {plan.pace.steps}")


def _evaluations(steps: int, dear: float) -> int:
    """Steps between validations that cost as much as `dear` steps: 20 in a run, fewer where they are dear."""
    return max(1, min(max(math.ceil(steps / 20), math.ceil(dear / EVALUATION_SHARE)), steps))


def replanned(budget: Budget, step: int, step_seconds: float, elapsed: float) -> Replan:
    """The end of a run that is to fill its budget; never before step + 1.

    `step_seconds` is what a step has cost so far with its share of validations and checkpoints.
    """
    left = budget.seconds * (1 - MARGIN) - budget.closing_seconds - elapsed
    return Replan(step, max(step + 1, min(step + int(left / step_seconds), budget.most_steps)))


def replanner(plan: Plan) -> Callable[[int, float, float], Replan] | None:
    """`replanned` for a plan that has a time budget."""
    return functools.partial(replanned, plan.budget) if plan.budget else None


def budget_of(seconds: float, speed: Speed, validation_tokens: int, parameters: int, most_steps: int) -> Budget:
    """A time budget with what comes after the last step set apart.

    That is a validation, a checkpoint and the model directory: 16 bytes for each weight, at the pace of a slow disk.
    """
    closing = 0.4 + validation_tokens * speed.validate + parameters * 16 / DISK
    saving = parameters * 12 / DISK  # weights and Adam's two moments
    return Budget(
        seconds=seconds, closing_seconds=round(closing, 3), most_steps=most_steps, saving_seconds=round(saving, 3)
    )
