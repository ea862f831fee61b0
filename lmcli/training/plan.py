"""What `auto` came to: everything that decides the course of a run, fixed before its first step."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lmcli.errors import ArtifactError
from lmcli.models.config import ModelConfig

REPLAN_AT = (0.4, 0.7, 0.9)
"""The shares of a run after which what follows is fitted to the time that is left: the cooldown begins after the first
of them, as a rule, and ends on time although the machine's pace may change."""

HeldBack = Literal["", "shape", "rows"]
"""What the memory holds less of than the rules would take: a smaller shape, or fewer rows at once."""


@dataclass(frozen=True, slots=True)
class Batching:
    """How the data of a step are arranged: `rows` windows or examples, `micro_rows` of them computed at once."""

    rows: int
    micro_rows: int
    tokens: int
    """Targets in a step; an average for rows of different lengths."""
    pieces: int = 1
    """Into how many each window is cut in the first steps."""
    cut_steps: int = 0
    """How many steps these are."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How many steps, and how often what happens between them; steps count from 1."""

    steps: int
    eval_every: int
    save_every: int
    log_every: int


@dataclass(frozen=True, kw_only=True)
class Budget:
    """The time that the steps are meant to fill."""

    seconds: float
    closing_seconds: float
    """Kept for what comes after the last step: validation, checkpoint, the model directory."""
    most_steps: int
    """More than this a re-plan never gives, for there is too little data."""
    saving_seconds: float = 0.0
    """What a checkpoint takes at most."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """JSON-able; `model` has no `auto` left."""

    model: ModelConfig
    vocab_size: int
    parameters: int
    batching: Batching
    pace: Pace
    epochs: float
    """Passes over the training data."""
    device: str
    dtype: str
    threads: int
    """Of each process."""
    budget: Budget | None = None
    """None when the length was not given as a time."""
    processes: int = 1
    strategy: str = "ddp"
    """How the processes of the first command worked together; later commands may have another number of them."""
    held_back: HeldBack = ""

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Plan:
        """The plan that `to_json` wrote. Raises ArtifactError for anything else."""
        try:
            parts = {
                "model": ModelConfig(**values["model"]),
                "batching": Batching(**values["batching"]),
                "pace": Pace(**values["pace"]),
                "budget": Budget(**values["budget"]) if values["budget"] else None,
            }
            return cls(**{**values, **parts})
        except (TypeError, KeyError) as error:
            raise ArtifactError(f"the plan of the run is damaged: {error}", "start anew with --force") from None


@dataclass(frozen=True, slots=True)
class Replan:
    """From `step` on, the run has `steps` steps in all: the cooldown fits the time that is left."""

    step: int
    steps: int

    def progress(self, step: float, before: float) -> float:
        """The share of the run that is done after `step` > `self.step`, where `before` was done."""
        return before + (1 - before) * (step - self.step) / (self.steps - self.step)


@dataclass(frozen=True, slots=True)
class Extension:
    """After `step`, the last one before a cooldown, the run goes on up to `steps` steps and cools down only then."""

    asked: str
    """As the setting has it: "2x", "+2000 steps"."""
    step: int
    steps: int
    start: float
    """The share of a run after which its schedule cools down."""
    of: str | None = None
    """Digest of the model that was made without it; None when the run was to be longer from its beginning."""

    def progress(self, step: float, before: float) -> float:
        """The share of the run that is done after `step` > `self.step`, where `before` was done: as in a run that was
        planned with `steps` from its beginning, once the cooldown has begun; up to there the rate is the full one."""
        cooldown = max(float(self.step), self.start * self.steps)
        if step <= cooldown:
            done = min(before, self.start)
            return min(self.start, done + (self.start - done) * (step - self.step) / (cooldown - self.step))
        return self.start + (1 - self.start) * (step - cooldown) / (self.steps - cooldown)


@dataclass(frozen=True, slots=True)
class Timeline:
    """Which share of the run each step stands for; a re-plan or an extension stretches or shortens what follows it."""

    planned: int
    replans: tuple[Replan, ...] = ()
    extensions: tuple[Extension, ...] = ()

    @property
    def steps(self) -> int:
        """The number of the last step."""
        if self.extensions:
            return self.extensions[-1].steps
        return self.replans[-1].steps if self.replans else self.planned

    @property
    def unextended(self) -> Timeline:
        return Timeline(self.planned, self.replans)

    def progress(self, step: float) -> float:
        """The share of the run that is done after `step`, in [0, 1]; continuous and rising, whatever was re-planned."""
        if self.extensions:
            *others, last = self.extensions
            earlier = Timeline(self.planned, self.replans, tuple(others))
            return last.progress(step, earlier.progress(last.step)) if step > last.step else earlier.progress(step)
        if not self.replans:
            return step / self.planned if self.planned else 1.0
        *before, replan = self.replans
        unchanged = Timeline(self.planned, tuple(before))
        return (
            replan.progress(step, unchanged.progress(replan.step)) if step > replan.step else unchanged.progress(step)
        )

    def cools_down_after(self, step: int, start: float) -> bool:
        """Whether `step` is the last one at the full rate, when the schedule cools down from the share `start` on.

        A step counts with its middle, as for its learning rate.
        """
        return step > 0 and self.progress(step - 0.5) <= start < self.progress(step + 0.5)
