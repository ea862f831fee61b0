"""The same learning rate throughout."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Lt

from lmcli.config import section
from lmcli.training.schedules.shape import warmed


@section
class Constant:
    warmup: Annotated[float, "share of the run in which the rate rises from 0", Ge(0), Lt(1)] = 0.01

    def multiplier(self, progress: float) -> float:
        """1 after the warm-up; `progress` is the share of the run that is done, in [0, 1]."""
        return warmed(progress, self.warmup)
