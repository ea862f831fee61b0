"""Warm-up, stable, decay: a long constant stretch, then a linear fall (Hu et al., 2024)."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

from lmcli.config import section
from lmcli.training.schedules.shape import falling, share_after, warmed


@section
class Wsd:
    warmup: Annotated[float, "share of the run in which the rate rises from 0", Ge(0), Lt(1)] = 0.01
    cooldown: Annotated[float, "share of the run, at its end, in which the rate falls", Gt(0), Le(1)] = 0.6
    final: Annotated[float, "last rate as a share of the peak", Ge(0), Le(1)] = 0.0

    @property
    def cooldown_start(self) -> float:
        """The share of the run up to which the rate doesn't depend on how long the run is, once it has warmed up."""
        return 1 - self.cooldown

    def multiplier(self, progress: float) -> float:
        """1 between warm-up and cooldown, then down to `final`; `progress` in [0, 1]."""
        return warmed(progress, self.warmup) * falling(share_after(progress, self.cooldown_start), self.final)
