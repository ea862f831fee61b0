"""Where a run stands, apart from its tensors."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from lmcli.training.health import Health

HEALTHY = Health()
Ending = Literal["steps", "early stop"]


@dataclass(frozen=True, slots=True)
class Figures:
    """Loss over a whole validation side: nats for each target, and bits for each byte of its text.

    Bits per byte is None where the targets aren't the whole text. `terms` has the means of a loss with several terms.
    """

    loss: float
    bits_per_byte: float | None
    terms: Mapping[str, float] = field(default_factory=dict)

    def row(self) -> dict[str, float]:
        """As metrics.jsonl has them."""
        bits = {} if self.bits_per_byte is None else {"val_bpb": self.bits_per_byte}
        return {"val_loss": self.loss, **bits, **{f"val_loss_{term}": mean for term, mean in self.terms.items()}}

    def __str__(self) -> str:
        if self.bits_per_byte is None:
            return f"{self.loss:.3f} nats/target"
        return f"{self.bits_per_byte:.3f} bits/byte"


@dataclass(frozen=True, slots=True)
class Best:
    """The step with the lowest validation loss so far; without a validation side, the last step."""

    step: int
    figures: Figures | None


@dataclass(frozen=True, kw_only=True)
class State:
    """After `step` optimizer steps. What decides the next step follows from this, the plan and the data alone."""

    step: int = 0
    tokens: int = 0
    """Targets trained on so far."""
    elapsed: float = 0.0
    """Seconds of wall time in all commands that worked on this run."""
    best: Best | None = None
    last: Figures | None = None
    """The latest validation."""
    worse: int = 0
    """Validations since the best one."""
    pending: Mapping[str, Any] | None = None
    """The row of `step`, when a signal came before its validation was done: that comes first on resume."""
    health: Health = HEALTHY
    """What the course so far says about the run."""
    ending: Ending | None = None
    """Why the run is over; None while it goes on."""

    def to_json(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> State:
        best = values["best"]
        return cls(
            **{
                **values,
                "best": best and Best(best["step"], _figures(best["figures"])),
                "last": _figures(values["last"]),
                "health": _health(values.get("health", {})),
            }
        )


def _health(values: Mapping[str, Any]) -> Health:
    lists = {key: tuple(item) for key, item in values.items() if isinstance(item, list)}
    return Health(**{**values, **lists})


def _figures(values: Mapping[str, Any] | None) -> Figures | None:
    return Figures(**values) if values else None
