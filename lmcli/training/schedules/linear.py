"""A linear fall over the whole run."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le, Lt

from lmcli.config import section
from lmcli.training.schedules.shape import falling, share_after, warmed


@section
class Linear:
    warmup: Annotated[float, "share of the run in which the rate rises from 0", Ge(0), Lt(1)] = 0.02
    final: Annotated[float, "last rate as a share of the peak", Ge(0), Le(1)] = 0.0

    def multiplier(self, progress: float) -> float:
        """Peak at the end of the warm-up, `final` at the end; `progress` in [0, 1]."""
        return warmed(progress, self.warmup) * falling(share_after(progress, self.warmup), self.final)
