"""Resolves every `auto` of a fine-tuning run."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from lmcli.errors import InputError
from lmcli.models.config import ModelConfig
from lmcli.models.device import Compute
from lmcli.training import pacing
from lmcli.training.config import FinetuneConfig
from lmcli.training.layout import at_once
from lmcli.training.length import parse_length
from lmcli.training.plan import Batching, Budget, Pace, Plan
from lmcli.training.speed import Speed

STEP_TOKENS = 2048
"""Trained tokens in an automatic step."""
STEPS_WORTH = 200
"""A batch is as small as leaves about this many steps, where there are few rows."""
MOST_EPOCHS = 10
"""A time budget trains at most this many passes."""
PROBE_SHARE = 0.03
"""Of the budget, for the measurement."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Counts of examples and of what they hold."""

    examples: int
    trained_tokens: int
    longest: int
    """Tokens of the longest example, its prompt included."""
    validation_tokens: int


@dataclass(frozen=True, slots=True)
class Base:
    """The model that is fine-tuned."""

    dials: ModelConfig
    vocab_size: int
    parameters: int


def plan_finetuning(
    rows: Rows,
    base: Base,
    config: FinetuneConfig,
    compute: Compute,
    elapsed: Callable[[], float],
    measure: Callable[[Batching, float], Speed],
) -> Plan:
    """The plan of a run over `rows`. `measure` says what a trained token costs, spending the seconds it is given.

    Raises InputError when a batch was asked for that the rows can't fill.
    """
    length = parse_length(config.length)
    passes = length.amount if length.unit == "epochs" else 3.0
    batching = batching_for(rows, passes, config, compute)
    budget = None
    if length.unit == "seconds":
        speed = measure(batching, PROBE_SHARE * length.amount)
        most = steps_of(MOST_EPOCHS, rows.examples, batching.rows)
        budget = pacing.budget_of(length.amount, speed, rows.validation_tokens, base.parameters, most)
        pace = pacing.timed_pace(budget, elapsed(), speed, batching.tokens, rows.validation_tokens, config)
    else:
        steps = int(length.amount) if length.unit == "steps" else steps_of(passes, rows.examples, batching.rows)
        pace = pacing.fixed_pace(steps, batching.tokens, rows.validation_tokens, config)
    # Only passes that were asked for have an end: their last step is as small as it must be.
    trained = examples_of(passes, rows.examples) if length.unit == "epochs" else pace.steps * batching.rows
    return _plan(trained / rows.examples, base, batching, pace, compute, budget)


def _plan(epochs: float, base: Base, batching: Batching, pace: Pace, compute: Compute, budget: Budget | None) -> Plan:
    return Plan(
        model=base.dials,
        vocab_size=base.vocab_size,
        parameters=base.parameters,
        batching=batching,
        pace=pace,
        epochs=epochs,
        device=compute.device,
        dtype=compute.dtype,
        threads=compute.threads,
        budget=budget,
    )


def batching_for(rows: Rows, passes: float, config: FinetuneConfig, compute: Compute) -> Batching:
    """How many examples make a step, and how many of them are computed at once."""
    mean = rows.trained_tokens / rows.examples
    if config.batch_tokens == "auto":
        wanted = min(STEP_TOKENS / mean, rows.examples * passes / STEPS_WORTH)
    else:
        wanted = config.batch_tokens / mean
        if config.batch_tokens > rows.trained_tokens:
            message = f"a batch of {config.batch_tokens} tokens is more than the {rows.trained_tokens} of all rows"
            raise InputError(message, "set batch_tokens lower, or add rows")
    count = max(1, min(rows.examples, round(wanted)))
    fitting = max(1, at_once(compute.device) // rows.longest)
    share = math.ceil(count / compute.processes)
    micro_rows = min(share, fitting if config.micro_batch == "auto" else config.micro_batch)
    return Batching(count, micro_rows, max(1, round(count * mean)))


def steps_of(epochs: float, examples: int, batch_rows: int) -> int:
    """The steps of `epochs` passes; the last one may be smaller than the others."""
    return math.ceil(examples_of(epochs, examples) / batch_rows)


def examples_of(epochs: float, examples: int) -> int:
    """How many examples `epochs` passes train; a part of a pass is rounded to whole examples."""
    return max(1, round(epochs * examples))
