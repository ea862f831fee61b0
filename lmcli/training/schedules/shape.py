"""Pieces that schedules are made of."""

from __future__ import annotations

from typing import Protocol


class Schedule(Protocol):
    def multiplier(self, progress: float) -> float:
        """What to multiply learning rates with; `progress` is the share of the run that is done, in [0, 1]."""
        ...


def warmed(progress: float, warmup: float) -> float:
    """Rises linearly from 0 to 1 over the first `warmup` of the run."""
    return min(1.0, progress / warmup) if warmup > 0 else 1.0


class Scaled:
    """A schedule at a share of its rates."""

    def __init__(self, schedule: Schedule, scale: float) -> None:
        self._schedule, self._scale = schedule, scale

    def multiplier(self, progress: float) -> float:
        return self._schedule.multiplier(progress) * self._scale


def share_after(progress: float, start: float) -> float:
    """How much of what lies after `start` is done: 0 up to `start`, 1 at the end."""
    return min(1.0, max(0.0, (progress - start) / (1.0 - start)))


def falling(share: float, final: float) -> float:
    """From 1 at `share` 0 to `final` at 1, linearly."""
    return 1.0 - share * (1.0 - final)
