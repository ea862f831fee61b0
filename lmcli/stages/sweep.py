"""Trials of settings under one budget, with the training that `train` does; no artifact is touched.

runs/sweep-DIGEST8/sweep.json         what is tried and what came out, written after each trial of each round
runs/sweep-DIGEST8/trial-01/          the run of a trial
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from lmcli.errors import ArtifactError, ConfigError, DivergedError
from lmcli.models.config import ModelConfig
from lmcli.project.project import Project
from lmcli.project.settings import Given
from lmcli.project.stage import Stage
from lmcli.stages import train as training
from lmcli.stages.graph import requests
from lmcli.training.config import PretrainConfig
from lmcli.training.halving import Round, better, combinations, rounds
from lmcli.training.length import parse_length

TARGET = "model"
FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a trial stood after a round; without figures it had diverged. `seconds` are those of training."""

    steps: int
    seconds: float
    loss: float | None
    bits_per_byte: float | None
    ending: str

    @property
    def score(self) -> tuple[float, float]:
        """Bits per byte of validation where there are any, then its loss: the smaller the better."""
        if self.loss is None:
            return (float("inf"), float("inf"))
        return (self.loss if self.bits_per_byte is None else self.bits_per_byte, self.loss)


@dataclass(kw_only=True)
class Trial:
    number: int
    settings: dict[str, str]
    """As they were given: dotted key -> text."""
    model: ModelConfig
    train: PretrainConfig
    stage: Stage
    results: list[Result] = field(default_factory=list)
    """After each round that it took part in."""

    @property
    def name(self) -> str:
        return f"trial-{self.number:02d}"


@dataclass(frozen=True, kw_only=True)
class Sweep:
    directory: Path
    unit: str
    rounds: Sequence[Round]
    trials: Sequence[Trial]

    @property
    def winner(self) -> Trial:
        """The best of those that took part in the last round. Raises DivergedError when none of them came through."""
        last = {
            trial.number: trial.results[-1].score for trial in self.trials if len(trial.results) == len(self.rounds)
        }
        best = self.trials[better(last, 1)[0] - 1]
        if best.results[-1].loss is None:
            raise DivergedError("every trial diverged", "try lower learning rates (train.optimizer.lr)")
        return best

    def told_apart(self, trial: Trial) -> dict[str, str]:
        """The settings by which a trial differs from others; all of them when there is one trial."""
        others = [other.settings for other in self.trials]
        return {
            key: value
            for key, value in trial.settings.items()
            if len(others) == 1 or any(other[key] != value for other in others)
        }

    def ranked(self) -> list[Trial]:
        """The best first: by rounds, then by score."""
        return sorted(self.trials, key=lambda trial: (-len(trial.results), trial.results[-1].score, trial.number))

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "unit": self.unit,
            "rounds": [dataclasses.asdict(item) for item in self.rounds],
            "trials": [
                {
                    "number": trial.number,
                    "settings": trial.settings,
                    "results": [dataclasses.asdict(result) for result in trial.results],
                }
                for trial in self.trials
            ],
        }


def plan(project: Project, given: Given, budget: str) -> Sweep:
    """The trials of all combinations in `given.sets` ("KEY=VALUE,VALUE"), as far as they went, and their rounds.

    Raises UsageError and ConfigError for settings that don't exist or aren't possible, before anything is trained.
    """
    length = parse_length(budget)
    if length.unit == "epochs":
        raise ConfigError("a sweep is given a time or steps for all trials together", "--budget 20m, or --steps 4000")
    trials = [_trial(project, given, number, chosen) for number, chosen in enumerate(_grid(given.sets), start=1)]
    kept = min(stretch(trial) for trial in trials)
    planned = rounds(len(trials), length.amount, kept)
    manifest = project.manifest()
    digests = {name: entry.digest for name, entry in manifest.entries.items() if name in ("tokens", "tokenizer")}
    parts = {"budget": budget, "inputs": digests, "trials": [[t.settings, dict(t.stage.requested)] for t in trials]}
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    sweep = Sweep(directory=project.runs / f"sweep-{key[:8]}", unit=length.unit, rounds=planned, trials=trials)
    _read_results(sweep)
    return sweep


def _grid(sets: Sequence[str]) -> list[dict[str, str]]:
    values: dict[str, list[str]] = {}
    for item in sets:
        key, equals, text = item.partition("=")
        choices = [choice.strip() for choice in text.split(",") if choice.strip()]
        if not equals or not choices:
            raise ConfigError(f"--set {item}: no value", "write --set KEY=VALUE,VALUE")
        if key.strip() in values:
            raise ConfigError(f"--set {key.strip()} is given twice", "name its values at once: KEY=VALUE,VALUE")
        values[key.strip()] = choices
    return combinations(values)


def _trial(project: Project, given: Given, number: int, chosen: dict[str, str]) -> Trial:
    ordered = sorted(chosen, key=lambda key: key.count("."))  # the name of an optimizer before what belongs to it
    given = replace(given, sets=[f"{key}={chosen[key]}" for key in ordered])
    request = requests(project, given, {TARGET: "train"})[TARGET]
    train: PretrainConfig = request.section("train")
    if train.continue_from or train.extend:
        raise ConfigError("a sweep trains new models", "leave out train.continue_from and train.extend")
    model = training.model_of(request)
    return Trial(number=number, settings=chosen, model=model, train=train, stage=training.assemble(request))


def stretch(trial: Trial) -> float:
    """The share of a run before its cooldown, from which a longer run goes on; 0 where there is none."""
    return float(getattr(trial.train.schedule, "cooldown_start", 0.0))


def _read_results(sweep: Sweep) -> None:
    path = sweep.directory / "sweep.json"
    if not path.exists():
        return
    try:
        for trial, item in zip(sweep.trials, json.loads(path.read_bytes())["trials"], strict=True):
            trial.results[:] = [Result(**result) for result in item["results"]]
    except (ValueError, KeyError, TypeError):
        raise ArtifactError(f"{path} is damaged", "begin the sweep anew with --force") from None


def values_of(trial: Trial) -> Mapping[str, Any]:
    """Its settings as lmcli.toml states them: dotted key -> value."""
    sections = {"model": trial.model, "train": trial.train}
    found: dict[str, Any] = {}
    for key, text in trial.settings.items():
        table, *path = key.split(".")
        value: Any = sections[table]
        for part in path:
            value = text if part == "name" and not hasattr(value, "name") else getattr(value, part)
        found[key] = text if dataclasses.is_dataclass(value) else value
    return found
