"""Successive halving: short runs of all settings, longer ones of the better half, until one is left.

After Jamieson & Talwalkar (2016): every round costs about the same, so a trial gets twice as much whenever half of the
trials are left.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Round:
    """`trials` are trained up to `total` (seconds or steps since their beginning), which costs `amount` each."""

    trials: int
    amount: float
    total: float


def rounds(trials: int, budget: float, kept: float) -> list[Round]:
    """The rounds of a sweep over `trials` settings that costs `budget` in all.

    `kept` is the share of a run that the next round goes on from, the stretch before a cooldown; 0 trains anew.
    """
    sizes = [trials]
    while sizes[-1] > 2:
        sizes.append(math.ceil(sizes[-1] / 2))
    found: list[Round] = []
    for size in sizes:
        amount = budget / len(sizes) / size
        found.append(Round(size, amount, amount + (kept * found[-1].total if found else 0.0)))
    return found


def better(scores: Mapping[int, tuple[float, ...]], count: int) -> list[int]:
    """The `count` trials with the smallest scores, in their own order; of equal ones those that come first."""
    ranked = sorted(scores, key=lambda trial: (*scores[trial], trial))
    return sorted(ranked[:count])


def combinations(values: Mapping[str, Sequence[str]]) -> list[dict[str, str]]:
    """One value of each setting, in every combination; the last setting changes fastest."""
    found: list[dict[str, str]] = [{}]
    for key, choices in values.items():
        found = [{**chosen, key: choice} for chosen in found for choice in choices]
    return found
