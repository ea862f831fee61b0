"""A trial of a sweep: settings, the runs with them, one for each seed, and what these say together."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import mean
from typing import Any

from lmcli.models.config import ModelConfig
from lmcli.project.stage import Stage
from lmcli.training.config import PretrainConfig

DIVERGED = "diverged"
FAILED = "failed"
"""With these settings nothing could be trained here."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a run stood after a round; `seconds` are those of training.

    Without figures it had diverged or failed; how long it ran until then is not known, and both are 0.
    """

    steps: int
    seconds: float
    loss: float | None
    bits_per_byte: float | None
    ending: str
    reason: str = ""
    """Why there are no figures."""

    @classmethod
    def without_figures(cls, ending: str, reason: str) -> Result:
        return cls(steps=0, seconds=0.0, loss=None, bits_per_byte=None, ending=ending, reason=reason)

    @property
    def score(self) -> tuple[float, float]:
        """Bits per byte of validation where there are any, then its loss: the smaller the better."""
        if self.loss is None:
            return (float("inf"), float("inf"))
        return (self.loss if self.bits_per_byte is None else self.bits_per_byte, self.loss)


def together(results: Sequence[Result]) -> Result:
    """The means over runs that differ by their seed, and their seconds in all; without figures when one has none.

    Steps are those of the runs with figures: the 0 of one that diverged says nothing about how far it went.
    """
    if len(results) == 1:
        return results[0]
    losses = [result.loss for result in results if result.loss is not None]
    bits = [result.bits_per_byte for result in results if result.bits_per_byte is not None]
    steps = [result.steps for result in results if result.loss is not None]
    without = next((result for result in results if result.loss is None), None)
    return Result(
        steps=round(mean(steps)) if steps else 0,
        seconds=sum(result.seconds for result in results),
        loss=None if without else mean(losses),
        bits_per_byte=mean(bits) if not without and len(bits) == len(results) else None,
        ending=(without or results[0]).ending,
        reason=without.reason if without else "",
    )


@dataclass(kw_only=True)
class Trial:
    number: int
    settings: dict[str, str]
    """As they were given: dotted key -> text."""
    values: Mapping[str, Any]
    """The same as lmcli.toml states them."""
    model: ModelConfig
    train: PretrainConfig
    stage: Stage
    by_seed: dict[int, list[Result]]
    """Of each seed, the results after the rounds that its run took part in."""

    @property
    def name(self) -> str:
        return f"trial-{self.number:02d}"

    def run_name(self, seed: int) -> str:
        """The directory of a run, among those of the sweep."""
        return self.name if len(self.by_seed) == 1 else f"{self.name}-seed-{seed}"

    @property
    def results(self) -> list[Result]:
        """After each round that all its runs have come through."""
        return [together(results) for results in zip(*self.by_seed.values(), strict=False)]

    @property
    def apart(self) -> float:
        """Between the best and the worst of its runs after the last of these rounds, in what they are judged by."""
        scores = [results[len(self.results) - 1].score[0] for results in self.by_seed.values()]
        return max(scores) - min(scores)

    def forget(self) -> None:
        """As if nothing had been trained yet."""
        for results in self.by_seed.values():
            results.clear()

    def read(self, item: Mapping[str, Any]) -> None:
        """Take over what `to_json` gave. Raises KeyError, TypeError and ValueError for anything else."""
        for seed, results in self.by_seed.items():
            results[:] = [Result(**result) for result in item["seeds"][str(seed)]]

    def to_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "settings": self.settings,
            "results": [dataclasses.asdict(result) for result in self.results],
            "seeds": {
                str(seed): [dataclasses.asdict(result) for result in results] for seed, results in self.by_seed.items()
            },
        }
