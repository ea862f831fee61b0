"""What a step costs, with all that goes on around it, over those that are like the steps to come."""

from __future__ import annotations

ENOUGH = 0.02
"""The share of a run's steps that its pace must rest on: after a stop there may be few before it is asked for."""


class Stride:
    """Steps count from the second one of a command on, for the first warms up and may compile, and not before all
    windows are whole (`whole_from`): short pieces take less time. What goes on between steps comes now and then, so its
    share is that of all steps."""

    def __init__(self, begun: int, elapsed: float, whole_from: int, planned: int) -> None:
        """`begun` is the step that a command goes on after, `elapsed` the seconds since the run began, and `planned`
        the number of steps of the run."""
        self._begun, self._elapsed = begun, elapsed
        self._start = max(begun + 1, whole_from)
        self._enough = max(1.0, ENOUGH * planned)
        self._stepping = self._alike = 0.0
        self._count = 0

    def took(self, step: int, seconds: float) -> None:
        """A step took so many seconds by itself."""
        self._stepping += seconds
        if step > self._start:
            self._alike += seconds
            self._count += 1

    def seconds(self, step: int, elapsed: float) -> float | None:
        """What a step costs, after `step` and `elapsed` seconds; None while too few are known."""
        if self._count < self._enough:
            return None
        between = (elapsed - self._elapsed - self._stepping) / (step - self._begun)
        return self._alike / self._count + between
