"""The runs of a sweep: each trial up to where its round ends."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from lmcli.errors import DivergedError, InputError
from lmcli.progress import Progress
from lmcli.project import durable
from lmcli.project.project import Project
from lmcli.project.runner import Runner
from lmcli.project.settings import Given
from lmcli.project.stage import Stage
from lmcli.stages.graph import graph
from lmcli.stages.sweep import TARGET, Sweep, records
from lmcli.stages.train import run_key
from lmcli.stages.trials import DIVERGED, FAILED, Result, Trial
from lmcli.tokens.shards import TokenStream
from lmcli.training.halving import Round, better

if TYPE_CHECKING:
    from lmcli.training.outcome import Outcome


def run(project: Project, sweep: Sweep, progress: Progress, *, force: bool = False) -> None:
    """Train what is not trained yet. The caller holds `project.writing()`.

    Raises ArtifactError when the tokens are stale, InputError without validation text, Stopped; the same call goes on.
    """
    Runner(project, graph(project, Given(environment=dict(os.environ))), progress).check_inputs(TARGET)
    if not len(TokenStream.open(project.directory(project.entry("tokens")), "validation")):
        raise InputError("a sweep compares by validation text, and the tokens have none", "see [tokens] split")
    if force and sweep.directory.exists():
        from lmcli.training.run import move_aside

        move_aside(sweep.directory)
        for trial in sweep.trials:
            trial.forget()
    durable.mkdir(sweep.directory)
    for number, current in enumerate(sweep.rounds):
        _round(project, sweep, number, current, progress)


def _round(project: Project, sweep: Sweep, number: int, current: Round, progress: Progress) -> None:
    standing = {
        trial.number: trial.results[number - 1].score if number else ()
        for trial in sweep.trials
        if len(trial.results) >= number
    }
    chosen = [sweep.trials[place - 1] for place in better(standing, current.trials)]
    for trial in chosen:
        if len(trial.results) > number:
            continue
        for seed, results in trial.by_seed.items():
            if len(results) <= number:
                results.append(_result(project, sweep, trial, seed, number, progress))
                durable.write(sweep.directory / "sweep.json", json.dumps(sweep.to_json(), indent=2) + "\n")
        shown = ", ".join(f"{key} = {value}" for key, value in sweep.told_apart(trial).items())
        progress.say(f"round {number + 1} of {len(sweep.rounds)}, {trial.name} ({shown}): {told(trial)}")


def told(trial: Trial) -> str:
    """The latest result of a trial in a few words."""
    result = trial.results[-1]
    if result.loss is None:
        return result.ending
    figure = f"loss {result.loss:.4f}" if result.bits_per_byte is None else f"{result.bits_per_byte:.4f} bits per byte"
    seeds = f", the mean of {len(trial.by_seed)} seeds {trial.apart:.4f} apart" if len(trial.by_seed) > 1 else ""
    return f"{figure} after {result.steps} steps, {result.seconds:.0f} s{seeds}"


def _result(project: Project, sweep: Sweep, trial: Trial, seed: int, number: int, progress: Progress) -> Result:
    """Train a trial's run up to where this round ends; one that has stopped early or has no figures stays as it is."""
    from lmcli.training.shortage import ShortageError

    before = trial.by_seed[seed]
    if before and before[-1].ending != "steps":
        return before[-1]
    try:
        outcome = _trained(project, sweep, trial, seed, number, progress)
    except (DivergedError, InputError, ShortageError) as error:
        progress.warn(f"{trial.run_name(seed)}: {error.message}")
        return Result.without_figures(DIVERGED if isinstance(error, DivergedError) else FAILED, error.message)
    if outcome is None:
        return before[-1]
    assert outcome.best is not None
    return Result(
        steps=outcome.steps,
        seconds=outcome.elapsed,
        loss=outcome.best.loss,
        bits_per_byte=outcome.best.bits_per_byte,
        ending=outcome.ending,
    )


def _trained(
    project: Project, sweep: Sweep, trial: Trial, seed: int, number: int, progress: Progress
) -> Outcome | None:
    """What a trial's run comes to in a round; None where it has made all the passes that a time gives already."""
    from lmcli.training import extension
    from lmcli.training.origin import Origin
    from lmcli.training.pretrain import pretrain
    from lmcli.training.run import RunDirectory

    directory, started = sweep.directory / trial.run_name(seed), time.monotonic()
    inputs, entries = records(project, trial.stage), project.manifest().entries
    first, now = (_text(sweep.rounds[place].total, sweep.unit) for place in (0, number))
    stage, extend = _stage(trial, seed, now), ""
    if number:  # it goes on from before its cooldown where it has one
        shorter = _stage(trial, seed, first)
        run = RunDirectory.found(directory, run_key(shorter, inputs))
        outlook = extension.outlook(run, now, trial.train.schedule)
        if outlook == "full":
            return None
        if outlook == "longer":
            stage, extend = shorter, now
    train = replace(trial.train, length=stage.requested["train"]["length"], seed=seed)
    tokens, tokenizer = (project.directory(entries[name]) for name in ("tokens", "tokenizer"))
    words = project.root / trial.model.vectors if trial.model.vectors else None
    origin = Origin(made_from={"requested": stage.requested}, extend=extend, tokenizer=tokenizer, vectors=words)
    key = run_key(stage, inputs)
    return pretrain(tokens, trial.model, train, directory, key, progress, started, origin=origin)


def _stage(trial: Trial, seed: int, length: str) -> Stage:
    """What a run of a trial is made from."""
    requested = trial.stage.requested
    train = {**requested["train"], "length": length, "seed": seed}
    return replace(trial.stage, requested={**requested, "train": train}, seed=seed)


def _text(amount: float, unit: str) -> str:
    return f"{amount:.1f}s" if unit == "seconds" else f"{max(1, round(amount))} steps"
