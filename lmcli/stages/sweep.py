"""Trials of settings under one budget, with the training that `train` does; no artifact is touched.

runs/sweep-DIGEST8/sweep.json         what is tried and what came out, written after each run of each round
runs/sweep-DIGEST8/trial-01/          the run of a trial; with several seeds trial-01-seed-0/ and so on
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lmcli import config
from lmcli.errors import ArtifactError, ConfigError, DivergedError, InputError, LmcliError
from lmcli.models.config import ModelConfig
from lmcli.project.lock import InputRecord
from lmcli.project.project import Project
from lmcli.project.settings import Given, spelled_out
from lmcli.project.stage import Artifact, Stage
from lmcli.stages import train as training
from lmcli.stages.graph import requests
from lmcli.stages.trials import FAILED, Result, Trial
from lmcli.training.config import PretrainConfig
from lmcli.training.halving import Round, combinations, rounds
from lmcli.training.length import Length, parse_length

TARGET = "model"
FORMAT = 2
LEAST = {"seconds": 5, "steps": 5}
"""Of a run, in the first round: in less not even the beginning of training is over."""


@dataclass(frozen=True, kw_only=True)
class Sweep:
    directory: Path
    unit: str
    rounds: Sequence[Round]
    trials: Sequence[Trial]

    @property
    def winner(self) -> Trial:
        """The best of those that went furthest and have figures.

        Where all that took part in the last round came to nothing, that is one of an earlier round. Raises
        DivergedError when every trial diverged, InputError when none came through otherwise.
        """
        best = self.ranked()[0]
        if best.results[-1].loss is None:
            raise self._without_winner()
        return best

    def _without_winner(self) -> LmcliError:
        failed = next((trial for trial in self.trials if trial.results[-1].ending == FAILED), None)
        if failed is None:
            return DivergedError("every trial diverged", "try lower learning rates (train.optimizer.lr)")
        message = f"no trial came through; {failed.name}: {failed.results[-1].reason}"
        return InputError(message, "sweep other settings, or free what was lacking and add --force")

    def told_apart(self, trial: Trial) -> dict[str, str]:
        """The settings by which a trial differs from others; all of them when there is one trial."""
        others = [other.settings for other in self.trials]
        return {
            key: value
            for key, value in trial.settings.items()
            if len(others) == 1 or any(other[key] != value for other in others)
        }

    def ranked(self) -> list[Trial]:
        """The best first: by rounds, then by score; those that have no figures any more are last."""

        def place(trial: Trial) -> tuple[bool, int, tuple[float, float], int]:
            last = trial.results[-1]
            return last.loss is None, -len(trial.results), last.score, trial.number

        return sorted(self.trials, key=place)

    def beyond(self, winner: Trial) -> list[Trial]:
        """Those that went further than the winner: they were better, until they diverged or failed."""
        return [trial for trial in self.trials if len(trial.results) > len(winner.results)]

    def to_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "unit": self.unit,
            "rounds": [dataclasses.asdict(item) for item in self.rounds],
            "trials": [trial.to_json() for trial in self.trials],
        }


def plan(project: Project, given: Given, budget: str, seeds: Sequence[int] = (), *, anew: bool = False) -> Sweep:
    """The trials of all combinations in `given.sets` ("KEY=VALUE,VALUE"), as far as they went, and their rounds.

    Each trial is run with each of `seeds`; without any, with that of the settings. A sweep that is begun `anew` has
    gone nowhere yet, and what an earlier one left behind is not read: it may be damaged.

    Raises UsageError and ConfigError for settings that don't exist or aren't possible, before anything is trained.
    """
    length = parse_length(budget)
    if length.unit == "epochs":
        raise ConfigError("a sweep is given a time or steps for all trials together", "--budget 20m, or --steps 4000")
    grid = _grid(given.sets)
    if seeds and "train.seed" in grid[0]:
        raise ConfigError("--set train.seed and --seeds are both given", "--seeds judges each trial by several seeds")
    trials = [_trial(project, given, number, chosen, seeds) for number, chosen in enumerate(grid, start=1)]
    kept = min(stretch(trial) for trial in trials)
    planned = rounds(len(trials), length.amount / max(1, len(seeds)), kept)
    _check_shares(length, planned, max(1, len(seeds)))
    parts = {
        "format": FORMAT,
        "budget": budget,
        "trials": [[t.settings, t.stage.requested, _digests(project, t.stage)] for t in trials],
        **({"seeds": list(seeds)} if seeds else {}),
    }
    key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
    sweep = Sweep(directory=project.runs / f"sweep-{key[:8]}", unit=length.unit, rounds=planned, trials=trials)
    if not anew:
        _read_results(sweep)
    return sweep


def _check_shares(length: Length, planned: Sequence[Round], seeds: int) -> None:
    """Raises ConfigError when the first round is too short to tell trials apart."""
    first, least = planned[0], LEAST[length.unit]
    if first.amount < least:
        needed = math.ceil(least * first.trials * len(planned) * seeds)
        flag, unit = ("--budget", "s") if length.unit == "seconds" else ("--steps", "")
        message = f"the first round gives a run {first.amount:.2g} {length.unit}, and less than {least} say nothing"
        raise ConfigError(message, f"{flag} {needed}{unit} is enough for so many trials; or try fewer values")


def _grid(sets: Sequence[str]) -> list[dict[str, str]]:
    values: dict[str, list[str]] = {}
    for item in sets:
        key, equals, text = item.partition("=")
        key, choices = spelled_out(key.strip()), _choices(text)
        if not equals or not choices:
            raise ConfigError(f"--set {item}: no value", "write --set KEY=VALUE,VALUE")
        if key in values:
            raise ConfigError(f"--set {key} is given twice", "name its values at once: KEY=VALUE,VALUE")
        if key == "train.length":
            hint = "--budget 20m, or --steps 4000, is for all trials together"
            raise ConfigError(f"--set {item}: how long a trial is trained is for the rounds of the sweep to say", hint)
        values[key] = choices
    return combinations(values)


def _choices(text: str) -> list[str]:
    """Values with commas between them; those inside brackets belong to a list."""
    parts, depth = [""], 0
    for letter in text:
        depth += (letter == "[") - (letter == "]")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return [part.strip() for part in parts if part.strip()]


def _trial(project: Project, given: Given, number: int, chosen: dict[str, str], seeds: Sequence[int]) -> Trial:
    given = replace(given, sets=[f"{key}={value}" for key, value in chosen.items()])
    request = requests(project, given, {TARGET: "train"})[TARGET]
    train, _ = training.settled(request)
    if train.continue_from or train.extend:
        raise ConfigError("a sweep trains new models", "leave out train.continue_from and train.extend")
    model = training.model_of(request)
    by_seed: dict[int, list[Result]] = {seed: [] for seed in seeds or (train.seed,)}
    stage, values = training.assemble(request), _values(chosen, model, train)
    return Trial(number=number, settings=chosen, values=values, model=model, train=train, stage=stage, by_seed=by_seed)


def _values(settings: Mapping[str, str], model: ModelConfig, train: PretrainConfig) -> dict[str, Any]:
    """Settings as lmcli.toml states them: dotted key -> value."""
    sections = {"model": model, "train": train}
    found: dict[str, Any] = {}
    for key, text in settings.items():
        table, *path = key.split(".")
        section = sections[table]
        hint = config.leaf(type(section), tuple(path), config.dump(section), key)
        value = config.parse(hint, text, key)
        found[key] = list(value) if isinstance(value, tuple) else value
    return found


def records(project: Project, stage: Stage) -> dict[str, InputRecord]:
    """What a trial reads, as far as it is there. Raises InputError for a file that isn't."""
    entries = project.manifest().entries
    found: dict[str, InputRecord] = {}
    for name, item in stage.inputs.items():
        if not isinstance(item, Artifact):
            found[name] = InputRecord(item.listing(project.digests).digest)
        elif item.name in entries:
            found[name] = InputRecord(entries[item.name].digest, item.name)
    return found


def _digests(project: Project, stage: Stage) -> dict[str, str]:
    return {name: record.digest for name, record in records(project, stage).items()}


def stretch(trial: Trial) -> float:
    """The share of a run before its cooldown, from which a longer run goes on; 0 where there is none."""
    return float(getattr(trial.train.schedule, "cooldown_start", 0.0))


def _read_results(sweep: Sweep) -> None:
    path = sweep.directory / "sweep.json"
    if not path.exists():
        return
    try:
        for trial, item in zip(sweep.trials, json.loads(path.read_bytes())["trials"], strict=True):
            trial.read(item)
    except (ValueError, KeyError, TypeError):
        raise ArtifactError(f"{path} is damaged", "begin the sweep anew with --force") from None
