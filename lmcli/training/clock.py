"""Wall time of a run, summed over the commands that worked on it, without the time for which they were paused."""

from __future__ import annotations

import time
from collections.abc import Callable


class Clock:
    """Seconds since `started` (an instant of `now`), plus those of earlier commands once they are known."""

    def __init__(self, started: float, now: Callable[[], float] = time.monotonic) -> None:
        self._started = started
        self._now = now
        self._before = 0.0
        self._read = started

    def resume(self, elapsed: float) -> None:
        """Count the seconds that earlier commands took."""
        self._before = elapsed

    def elapsed(self) -> float:
        self._read = self._now()
        return self._before + self._read - self._started

    def leave_out_pause(self) -> None:
        """Don't count what went by since the time was last read: the process was paused. Up to a step of work is left
        out with it."""
        now = self._now()
        self._before -= now - self._read
        self._read = now
