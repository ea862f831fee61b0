"""What the loop trains, on what and for how long: values that are given to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from lmcli.objectives.batch import Batch
from lmcli.training.plan import Extension, Replan
from lmcli.training.schedules.shape import Schedule
from lmcli.training.state import Figures, State
from lmcli.training.step import Stepper

Source = Callable[[int], Sequence[Batch]]
"""Step number, from 1 -> its micro-batches: a pure function, so that resuming can't differ from not stopping."""


@dataclass(frozen=True)
class Probe:
    """Something to look at during training (samples, metrics): called with the step and the model in eval mode."""

    at: Callable[[int], bool]
    call: Callable[[int, nn.Module], None]
    go_on: Callable[[int], None] = lambda step: None
    """Called before training with the step after which it goes on: what was noted after that comes again."""


@dataclass(frozen=True, kw_only=True)
class Ingredients:
    """What a run is made of, apart from its directory. `peak_lr` is what the log's `lr` is a multiple of."""

    stepper: Stepper
    source: Source
    schedule: Schedule
    validate: Callable[[nn.Module, Callable[[], None]], Figures] | None
    early_stop: int
    peak_lr: float
    probes: Sequence[Probe] = ()
    replan: Callable[[int, float, float], Replan] | None = None
    """(step, seconds that a step cost with all that went on around it, seconds elapsed) -> the rest of the run; asked
    when the shares of it in REPLAN_AT are done."""
    cooldown_start: float | None = None
    """The share of the run after which the schedule cools down: the state before that is kept."""
    extend: Callable[[State], Extension] | None = None
    """Where the run is to end instead, asked once: before the cooldown."""
    on_row: Callable[[Mapping[str, Any]], None] | None = None
    """Called with each row of the log."""
    samples: Callable[[int], Sequence[int]] | None = None
    """Step number -> the numbers of the samples in its batch."""
    skips: int = 0
    """Steps that may be left out because their loss or gradient is not finite."""
    stop_on_divergence: bool = False
    keep: int = 1
    """Latest checkpoints to keep."""
    save_every: int | None = None
    """Steps between them, where that is set; else it is the plan's."""
    background: bool = False
    """Write checkpoints in a thread, from a copy, while training goes on."""
