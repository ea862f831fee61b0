"""What `auto` came to: everything that decides the course of a run, fixed before its first step."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lmcli.errors import ArtifactError
from lmcli.models.config import ModelConfig


@dataclass(frozen=True, kw_only=True)
class Plan:
    """JSON-able. `model` has no `auto` left. Steps count from 1."""

    model: ModelConfig
    vocab_size: int
    parameters: int
    batch_rows: int
    """Windows or examples in a step."""
    micro_rows: int
    """Rows computed at once."""
    step_tokens: int
    """Targets in a step; an average for rows of different lengths."""
    epochs: float
    """Passes over the training data."""
    steps: int
    eval_every: int
    save_every: int
    log_every: int
    device: str
    dtype: str
    threads: int
    seconds: float | None = None
    """The time budget that `steps` is meant to fill; None when the length was not given as a time."""
    closing_seconds: float = 0.0
    """Time kept for what comes after the last step: validation, checkpoint, the model directory."""

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Plan:
        """The plan that `to_json` wrote. Raises ArtifactError for anything else."""
        try:
            return cls(**{**values, "model": ModelConfig(**values["model"])})
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
            return step / self.planned
        before = self.replan.step / self.planned
        return before + (1 - before) * (step - self.replan.step) / (self.replan.steps - self.replan.step)
