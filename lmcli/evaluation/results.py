"""The result of an evaluation, in memory and as `results.json` and `samples.jsonl`."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lmcli.errors import ArtifactError
from lmcli.evaluation.scores import Interval, Score, figures
from lmcli.project import durable

RESULTS = "results.json"
SAMPLES = "samples.jsonl"


@dataclass(frozen=True, slots=True)
class Sample:
    """A prompt with the completion that was wanted and the one that the model gave.

    `finish_reason` is "end", "stop" or "length" (cut at max_tokens). `prompt_cut` tells that the model saw only the end
    of the prompt, which was longer than its context.
    """

    id: str
    prompt: str
    reference: str
    prediction: str
    finish_reason: str
    prompt_cut: bool


@dataclass(frozen=True, slots=True)
class Results:
    """Every figure of an evaluation; `counts` says how much was evaluated (tokens, text_bytes, documents, rows...)."""

    scores: tuple[Score, ...]
    counts: Mapping[str, int] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()

    @property
    def figures(self) -> dict[str, float]:
        """Name -> value, for gates and reports."""
        return figures(self.scores)


def write(results: Results, out: Path, settings: Mapping[str, Any]) -> None:
    """Put results.json and, where there are samples, samples.jsonl into `out`.

    `settings` is what the figures depend on (the config, the model's and the data's names). A figure that is not finite
    is null. The same results and settings give the same bytes.
    """
    document = {
        "figures": {name: _finite(value) for name, value in results.figures.items()},
        "counts": dict(results.counts),
        "scores": [_score_to_json(score) for score in results.scores],
        "settings": dict(settings),
    }
    durable.mkdir(out)
    durable.write(out / RESULTS, _json(document, indent=2) + "\n")
    if results.samples:
        with durable.create(out / SAMPLES) as file:
            for sample in results.samples:
                file.write(f"{_json(dataclasses.asdict(sample))}\n".encode())


def read(directory: Path) -> Results:
    """The scores and counts that `write` put there, without the samples; null becomes NaN. ArtifactError on damage."""
    path = directory / RESULTS
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        scores = tuple(_score_from_json(entry) for entry in document["scores"])
        return Results(scores, dict(document["counts"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(f"{path} can't be read: {error}", "run the evaluation again with --force") from None


def _score_to_json(score: Score) -> dict[str, Any]:
    entry = dataclasses.asdict(score)
    entry["value"] = _finite(score.value)
    if score.interval:
        entry["interval"] |= {"low": _finite(score.interval.low), "high": _finite(score.interval.high)}
    return entry


def _score_from_json(entry: Mapping[str, Any]) -> Score:
    interval = entry["interval"]
    if interval is not None:
        interval = Interval(**{**interval, "low": _number(interval["low"]), "high": _number(interval["high"])})
    return Score(**{**entry, "value": _number(entry["value"]), "interval": interval})


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)


def _json(value: Any, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=True, indent=indent)
