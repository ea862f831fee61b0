"""Pieces that schedules are made of."""

from __future__ import annotations


def warmed(progress: float, warmup: float) -> float:
    """Rises linearly from 0 to 1 over the first `warmup` of the run."""
    return min(1.0, progress / warmup) if warmup > 0 else 1.0


def share_after(progress: float, start: float) -> float:
    """How much of what lies after `start` is done: 0 up to `start`, 1 at the end."""
    return min(1.0, max(0.0, (progress - start) / (1.0 - start)))


def falling(share: float, final: float) -> float:
    """From 1 at `share` 0 to `final` at 1, linearly."""
    return 1.0 - share * (1.0 - final)
