"""Runs a sweep for the command line; its trials as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lmcli.cli.session import Session, Shown
from lmcli.errors import LmcliError, UsageError

if TYPE_CHECKING:
    from lmcli.stages.sweep import Sweep
    from lmcli.stages.trials import Trial


def swept(session: Session, length: str, seeds: str | None, write: bool) -> Shown:
    """The trials of this command line, trained as far as they are not yet; with --dry-run only what would be done."""
    from lmcli.project.editing import set_values
    from lmcli.stages import sweep as sweeps
    from lmcli.stages.sweep_runs import run

    project, given, numbers = session.project, session.given(), _numbers(seeds) if seeds is not None else ()
    if session.dry_run:
        return _planned(sweeps.plan(project, given, length, numbers, anew=session.force))
    with project.writing():
        sweep = sweeps.plan(project, given, length, numbers, anew=session.force)
        run(project, sweep, session.console, force=session.force)
        winner = _winner(session, sweep)
        if write:
            set_values(project.document.path, winner.values)
    place = sweep.directory.relative_to(project.root).as_posix()
    won = {"number": winner.number, "settings": dict(winner.values)}
    last = f"written into {project.document.path.name}" if write else f"train with it: {_line(winner)}"
    lines = [*_table(sweep), f"trials are in {place}", last]
    return Shown({**sweep.to_json(), "directory": place, "winner": won}, lines)


def _winner(session: Session, sweep: Sweep) -> Trial:
    """The winner, with a warning where it is not one of those that went furthest; without any there is the table."""
    try:
        winner = sweep.winner
    except LmcliError:
        if not session.json:  # whose one document is the error
            session.console.show({}, _table(sweep), as_json=False)
        raise
    if further := sweep.beyond(winner):
        ends = ", ".join(f"{trial.name} {trial.results[-1].ending}" for trial in further)
        stood = f"after round {len(winner.results)} of {len(sweep.rounds)}"
        session.console.warn(f"{ends} in a later round: {winner.name} is the best of the others, {stood}")
    return winner


def _line(winner: Trial) -> str:
    """The command that trains with the winner's settings, as a shell takes it."""
    import shlex

    from lmcli.project.settings import names_first

    flags = (shlex.quote(f"{key}={winner.settings[key]}") for key in names_first(winner.settings))
    return " ".join(["lmcli train", *(f"--set {flag}" for flag in flags)])


def _numbers(text: str) -> tuple[int, ...]:
    words = [word.strip() for word in text.split(",")]
    if not all(word.isascii() and word.isdigit() for word in words) or len(set(map(int, words))) < len(words):
        raise UsageError(f"--seeds {text}: no list of different numbers", "write --seeds 0,1,2")
    return tuple(int(word) for word in words)


def _planned(sweep: Sweep) -> Shown:
    from lmcli.units import duration

    def amount(value: float) -> str:
        return duration(value) if sweep.unit == "seconds" else f"{value:.0f} steps"

    seeds = len(sweep.trials[0].by_seed)
    each = "each" if seeds == 1 else f"each with {seeds} seeds"
    lines = [
        f"round {number}: {item.trials} trials, {amount(item.amount)} {each}"
        for number, item in enumerate(sweep.rounds, start=1)
    ]
    lines += [f"{trial.name}: {_settings(sweep, trial)}" for trial in sweep.trials]
    return Shown(sweep.to_json(), lines)


def _settings(sweep: Sweep, trial: Trial) -> str:
    return ", ".join(f"{key} = {value}" for key, value in sweep.told_apart(trial).items())


def _table(sweep: Sweep) -> list[str]:
    from lmcli.tables import aligned

    keys = list(sweep.told_apart(sweep.trials[0]))
    judged = [result for trial in sweep.trials for result in trial.results if result.loss is not None]
    measure = "loss" if judged and judged[0].bits_per_byte is None else "bits per byte"
    several = len(sweep.trials[0].by_seed) > 1
    rows = [["trial", *keys, "rounds", "steps", "seconds", measure, *(["apart"] if several else [])]]
    without = [(trial, trial.results[-1]) for trial in sweep.ranked() if trial.results[-1].loss is None]
    for trial in sweep.ranked():
        last: Any = trial.results[-1]
        figure = last.ending if last.loss is None else f"{last.score[0]:.4f}"
        length = ["-", "-"] if last.loss is None else [f"{last.steps:,}", f"{last.seconds:.0f}"]
        values = [trial.settings[key] for key in keys]
        told = [str(len(trial.results)), *length, figure]
        apart = [] if not several else ["" if last.loss is None else f"{trial.apart:.4f}"]
        rows.append([trial.name, *values, *told, *apart])
    lines = aligned(rows, "<" + ">" * (len(rows[0]) - 1))
    return lines + [f"{trial.name} {last.ending}: {last.reason}" for trial, last in without]
