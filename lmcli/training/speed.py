"""How fast this machine trains a shape: measured with the real training step, then thrown away."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from lmcli.objectives.batch import Batch
from lmcli.training.step import Stepper

Now = Callable[[], float]


@dataclass(frozen=True, slots=True)
class Speed:
    """Seconds that one token costs in training and in validation."""

    train: float
    validate: float


def measure(stepper: Stepper, batches: Sequence[Batch], seconds: float, now: Now = time.perf_counter) -> Speed:
    """Train on `batches` over and over for about `seconds`, and take the middle step: a run has slow ones, too.

    Takes at least three steps, the first of which warms up and doesn't count. The model of `stepper` is changed:
    measure one that nobody else uses. Several processes measure together, by the clock of the first.
    """
    now = stepper.world.clock(now)
    step = partial(stepper.step, 1, batches, 0.0, lambda: None)
    end = now() + seconds
    count = sum(batch.tokens for batch in batches)
    with torch.random.fork_rng(devices=[]):
        times = [_timed(step, now) for _ in range(3)]
        while now() + times[-1] < end and len(times) < 20:
            times.append(_timed(step, now))
        stepper.model.eval()
        validate = min(_timed(lambda: stepper.evaluate(batches[0]), now) for _ in range(2))
    return Speed(statistics.median(times[1:]) / count, validate / stepper.world.size / max(1, batches[0].tokens))


def _timed(call: Callable[[], object], now: Now) -> float:
    started = now()
    call()
    return now() - started
