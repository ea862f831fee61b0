"""A fall with the root of the time, as in Vaswani et al. (2017)."""

from __future__ import annotations

import math
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

from lmcli.config import section
from lmcli.training.schedules.shape import share_after, warmed


@section
class InverseSqrt:
    """1 / sqrt(1 + k t) with t from 0 at the end of the warm-up to 1 at the end of the run, where `final` sets k.

    With final = sqrt(warmup), as by default, that is sqrt(warmup / progress), the curve of the paper.
    """

    warmup: Annotated[float, "share of the run in which the rate rises from 0", Ge(0), Lt(1)] = 0.01
    final: Annotated[float, "last rate as a share of the peak", Gt(0), Le(1)] = 0.1

    def multiplier(self, progress: float) -> float:
        """Peak at the end of the warm-up, `final` at the end; `progress` in [0, 1]."""
        steepness = 1 / self.final**2 - 1
        return warmed(progress, self.warmup) / math.sqrt(1 + steepness * share_after(progress, self.warmup))
