"""How many steps, and how often to validate and to save: arithmetic over what was measured."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from lmcli.training.plan import Plan, Replan
from lmcli.training.speed import Speed

EVALUATION_SHARE = 0.06
"""Of the time of training, at most this much goes into validation, unless that leaves fewer than 5 of them."""
SAVE_SECONDS = 30.0
"""Work that a kill may cost when speed is known."""
MARGIN = 0.01
"""Of the budget, kept for what nobody foresees."""
LOG_ROWS = 2000
"""About as many rows a run logs at most."""


@dataclass(frozen=True, slots=True)
class Pace:
    steps: int
    eval_every: int
    save_every: int
    log_every: int


def fixed_pace(
    steps: int, eval_every: int | Literal["auto"], save_every: int | Literal["auto"], tokens_per_validation: float = 0.0
) -> Pace:
    """For a length in steps. `tokens_per_validation`: validation tokens for each token of a step.

    A validation token costs about a third of a training token, for there is no backward pass.
    """
    if eval_every == "auto":
        cheapest = math.ceil(tokens_per_validation / 3 / EVALUATION_SHARE)
        eval_every = _evaluations(steps, cheapest)
    if save_every == "auto":
        save_every = max(1, min(500, math.ceil(steps / 10)))
    return Pace(steps, eval_every, save_every, max(1, math.ceil(steps / LOG_ROWS)))


def timed_pace(
    seconds: float,
    step_seconds: float,
    validation_seconds: float,
    eval_every: int | Literal["auto"],
    save_every: int | Literal["auto"],
    most: int,
) -> Pace:
    """The steps, at most `most` and at least 1, that fit `seconds` with the validations that come between them."""
    steps = max(1, min(most, int(seconds / step_seconds)))
    for _ in range(5):  # steps and validations depend on each other; this settles at once
        every = eval_every
        if every == "auto":
            every = _evaluations(steps, math.ceil(validation_seconds / step_seconds / EVALUATION_SHARE))
        left = seconds - validation_seconds * max(0, math.ceil(steps / every) - 1)
        steps = max(1, min(most, int(left / step_seconds)))
    if save_every == "auto":
        save_every = max(1, int(SAVE_SECONDS / step_seconds))
    return Pace(steps, every, save_every, max(1, math.ceil(steps / LOG_ROWS)))


def _evaluations(steps: int, cheapest: int) -> int:
    """Steps between validations: 20 validations in a run, fewer where they are dear, but 5 when there is room."""
    return max(1, min(max(math.ceil(steps / 20), cheapest), math.ceil(steps / 5)))


def replanned(plan: Plan, step: int, step_seconds: float, validation_seconds: float, elapsed: float) -> Replan:
    """The end of a run that is to fill its budget, given what its steps took so far; never before step + 1."""
    assert plan.seconds is not None
    left = plan.seconds * (1 - MARGIN) - plan.closing_seconds - elapsed
    cost = step_seconds + validation_seconds / plan.eval_every
    return Replan(step, max(step + 1, step + int(left / cost)))


def closing_seconds(speed: Speed, validation_tokens: int, parameters: int) -> float:
    """After the last step: a validation, a checkpoint, and the model directory (12 and 4 bytes for each parameter)."""
    return 1.0 + validation_tokens * speed.validate + parameters * 16 / 150e6
