"""Straight lines between points."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import Annotated

from annotated_types import Predicate

from lmcli.config import section
from lmcli.errors import ConfigError

HINT = "write points = [[0, 0], [0.1, 1], [1, 0]]: shares of the run in order, from 0 to 1, each with its rate"

Points = tuple[tuple[float, float], ...]


def is_course(points: Points) -> bool:
    """Whether points give a rate for every moment; raises ConfigError that says why not."""
    if not points or any(not 0 <= at <= 1 for at, _ in points):
        raise ConfigError("there must be points, each at a share of the run between 0 and 1", HINT)
    if any(first > second for (first, _), (second, _) in pairwise(points)):
        raise ConfigError("the points must be in order of their share of the run", HINT)
    if any(rate < 0 for _, rate in points) or not any(rate for _, rate in points):
        raise ConfigError("rates must not be below 0, nor all be 0", HINT)
    return True


@section
class Piecewise:
    points: Annotated[
        Points, "(share of the run, rate as a share of the peak), with straight lines between", Predicate(is_course)
    ] = ((0.0, 0.0), (0.02, 1.0), (0.5, 1.0), (1.0, 0.0))

    def multiplier(self, progress: float) -> float:
        """The rate on the line at `progress`; before the first point and after the last one, theirs.

        Of two points at the same share the second counts from there on: the rate jumps.
        """
        after = bisect_right(self.points, progress, key=lambda point: point[0])
        if after == 0:
            return self.points[0][1]
        if after == len(self.points):
            return self.points[-1][1]
        (start, first), (end, second) = self.points[after - 1], self.points[after]
        return first + (second - first) * (progress - start) / (end - start)
