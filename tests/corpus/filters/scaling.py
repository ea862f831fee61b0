"""How the time of a filter grows with the length of a text that was made to be slow."""

from __future__ import annotations

import time
from collections.abc import Callable

UNITS = (
    "a",
    "(",
    " \n",
    "@",
    "1 ",
    "http://",
    "1.1.",
    "=",
    "- ",
    "a@",
    "a.",
    "::",
    "+1",
    "1-",
    "A1",
    "😀",
    "\u200d",
    ")",
)


def growth(work: Callable[[str], object], unit: str, length: int = 40_000) -> float:
    """CPU time for 2 * length characters over that for length: 2 where it is linear, 4 where it is quadratic.

    Measured up to three times, since a machine with other work to do isn't exact; 2 ms are added to both.
    """

    def seconds(count: int) -> float:
        text = unit * (count // len(unit))
        best = float("inf")
        for _ in range(3):
            start = time.process_time()
            work(text)
            best = min(best, time.process_time() - start)
        return best + 0.002

    found = float("inf")
    for _ in range(3):
        found = min(found, seconds(2 * length) / seconds(length))
        if found < 2.4:
            break
    return found
