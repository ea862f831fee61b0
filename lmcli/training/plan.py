"""What `auto` came to: everything that decides the course of a run, fixed before its first step."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lmcli.errors import ArtifactError
from lmcli.models.config import ModelConfig


@dataclass(frozen=True, slots=True)
class Batching:
    """How the data of a step are arranged: `rows` windows or examples, `micro_rows` of them computed at once."""

    rows: int
    micro_rows: int
    tokens: int
    """Targets in a step; an average for rows of different lengths."""


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


@dataclass(frozen=True, slots=True)
class Timeline:
    """Which share of the run each step stands for; a re-plan stretches or shortens what follows it."""

    planned: int
    replan: Replan | None = None

    @property
    def steps(self) -> int:
        """The number of the last step."""
        return self.replan.steps if self.replan else self.planned

    def progress(self, step: float) -> float:
        """The share of the run that is done after `step`, in [0, 1]; continuous and rising, whatever was re-planned."""
        if self.replan is None or step <= self.replan.step:
            return step / self.planned if self.planned else 1.0
        before = self.replan.step / self.planned
        return before + (1 - before) * (step - self.replan.step) / (self.replan.steps - self.replan.step)
