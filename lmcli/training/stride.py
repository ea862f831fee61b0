"""What a step costs, over those that are like the steps to come."""

from __future__ import annotations

ENOUGH = 0.02
"""The share of a run's steps that its pace must rest on: after a stop there may be few before it is asked for."""


class Stride:
    """Counts from the step after the first one of a command, which warms up and may compile, and not before all windows
    are whole (`whole_from`): short pieces take less time."""

    def __init__(self, begun: int, whole_from: int, planned: int) -> None:
        """`begun` is the step that a command goes on after, `planned` the number of steps of the run."""
        self._start = max(begun + 1, whole_from)
        self._enough = ENOUGH * planned
        self._first = (0, 0.0)

    def seconds(self, step: int, elapsed: float) -> float | None:
        """What each step so far has cost with all that went on around it; None when too few are known.

        To be called after every step, with the seconds that have gone by since the run began.
        """
        if step <= self._start:
            self._first = (step, elapsed)
        count = step - self._first[0]
        return (elapsed - self._first[1]) / count if count and count >= self._enough else None
