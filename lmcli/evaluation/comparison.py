"""Predictions against references: every chosen metric, each figure with its interval."""

from __future__ import annotations

from collections.abc import Sequence

from lmcli.errors import ConfigError, InputError
from lmcli.evaluation.intervals import score
from lmcli.evaluation.metrics import METRICS
from lmcli.evaluation.scores import Metric, Score


def compare(
    predictions: Sequence[str], references: Sequence[str], metrics: Sequence[Metric], seed: int
) -> tuple[Score, ...]:
    """The figures of `metrics` (all that are registered, with their defaults, when there are none) over the pairs.

    Raises InputError when there is nothing to compare and ConfigError when two metrics give a figure of the same name.
    """
    if len(predictions) != len(references):
        raise InputError(
            f"{len(predictions)} predictions but {len(references)} references", "they are compared in pairs"
        )
    if not references:
        raise InputError("there is nothing to compare: no prediction and no reference")
    scores: dict[str, Score] = {}
    for metric in metrics or every_metric():
        for tally in metric.tallies(predictions, references):
            if tally.name in scores:
                raise ConfigError(f"metrics name {tally.name} twice", "keep one of the two")
            scores[tally.name] = score(tally, seed)
    return tuple(scores.values())


def every_metric() -> tuple[Metric, ...]:
    """Each registered metric with its default settings."""
    return tuple(METRICS.load(name)() for name in METRICS)
