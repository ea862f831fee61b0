"""Wall time of a run, summed over the commands that worked on it."""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """Seconds since `started` (an instant of `now`), plus those of earlier commands once they are known."""

    def __init__(self, started: float, now: Callable[[], float] = time.monotonic) -> None:
        self._started = started
        self._now = now
        self._before = 0.0

    def resume(self, elapsed: float) -> None:
        """Count the seconds that earlier commands took."""
        self._before = elapsed

    def elapsed(self) -> float:
        return self._before + self._now() - self._started
