"""`lmcli clean --engine`: the shards as tasks of an engine, then the corpus from them."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lmcli.cli import cleaning
from lmcli.cli.making import planned
from lmcli.cli.session import Session, Shown
from lmcli.cores import cores
from lmcli.corpus.engines import ENGINES, Options, load
from lmcli.errors import UsageError, did_you_mean
from lmcli.project.settings import Given
from lmcli.stages.cleaning import job as job_of

_ONLY = {"partition": "slurm", "time": "slurm", "sbatch": "slurm", "address": "ray"}  # option -> its engine
_FLAGS = {"address": "--ray-address"}


@dataclass(frozen=True)
class Wanted:
    """The options of the command line that concern engines, as they were given."""

    engine: str | None
    tasks: int | None
    partition: str | None
    time: str | None
    sbatch: Sequence[str]
    address: str | None

    def check(self, *, shard: bool, merge: bool) -> None:
        """Raises UsageError for options that don't go together."""
        if self.engine is None:
            if given := next((name for name in ("tasks", *_ONLY) if getattr(self, name)), None):
                raise UsageError(f"{_flag(given)} needs --engine", f"one of: {', '.join(ENGINES)}")
            return
        if self.engine not in ENGINES:
            hint = did_you_mean(self.engine, ENGINES) or f"one of: {', '.join(ENGINES)}"
            raise UsageError(f"there is no engine {self.engine!r}", hint)
        if shard or merge:
            raise UsageError("--engine makes all shards and merges them", "leave out --shard and --merge")
        for name, engine in _ONLY.items():
            if getattr(self, name) and engine != self.engine:
                raise UsageError(f"{_flag(name)} is for --engine {engine}")
        if self.engine == "slurm" and not self.tasks:
            raise UsageError("--engine slurm needs --tasks", "as many as there are processors for them, say 100")

    def options(self) -> Options:
        sbatch = {}
        for item in self.sbatch:
            key, equals, value = item.removeprefix("--").partition("=")
            if not (key and equals):
                raise UsageError(f"--sbatch {item}: no value", "write --sbatch OPTION=VALUE, as in account=physics")
            sbatch[key] = value
        return Options(partition=self.partition, time=self.time, sbatch=sbatch, address=self.address)


def _flag(name: str) -> str:
    return _FLAGS.get(name, f"--{name}")


def run(session: Session, given: Given, wanted: Wanted, workers: int) -> Shown:
    """The corpus, or the jobs that will make it."""
    assert wanted.engine is not None
    options = replace(wanted.options(), workers=workers, finish=_merge(session, given), verbose=session.verbose)
    tasks = wanted.tasks or workers or cores()
    plan = planned(session, cleaning.TARGET, given)
    pending = bool(plan.data["would_make"]) or session.force
    if session.dry_run and pending:
        return Shown({**plan.data, "tasks": tasks}, [*plan.lines, f"in {tasks} tasks by {wanted.engine}"])
    if not pending:
        return cleaning.whole(session, given, workers)
    jobs = load(wanted.engine)(job_of(session.project, given, tasks), options, session.console)
    return _submitted(jobs, tasks) if jobs else cleaning.whole(session, given, workers, merge=True)


def _submitted(jobs: Mapping[str, str], tasks: int) -> Shown:
    lines = [f"submitted {what}: job {number}" for what, number in jobs.items()]
    lines.append(f"job {jobs['merge']} makes the corpus of {tasks} shards; if it does not: lmcli clean --merge")
    return Shown({"jobs": dict(jobs), "tasks": tasks}, lines)


def _merge(session: Session, given: Given) -> tuple[str, ...]:
    """The command line that merges with the settings of this one."""
    flags = dict(given.flags)
    inputs = flags.pop("project.inputs", ())
    sets = [*session.sets, *(f"{key}={_text(value)}" for key, value in flags.items())]
    shared = [flag for flag, on in {"--force": session.force, "--quiet": session.quiet}.items() if on]
    return (
        *(sys.executable, "-m", "lmcli", "clean", "--merge", "-C", str(session.root), *shared),
        *(part for item in sets for part in ("--set", item)),
        *(("--", *inputs) if inputs else ()),
    )


def _text(value: Any) -> str:
    """A value the way `--set` reads it."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
