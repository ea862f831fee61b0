"""The two rounds of tasks that every engine runs, one after the other, and the waiting for each."""

from __future__ import annotations

import contextlib
import secrets
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loguru import logger

from lmcli.corpus.engines.notes import Watch, failure
from lmcli.corpus.engines.steps import Map, Match
from lmcli.corpus.shards import Job
from lmcli.errors import MachineError
from lmcli.progress import Progress

LOOK = 1.0  # seconds between two looks at the tasks


@dataclass(frozen=True)
class Phase:
    """A step that `tasks` tasks run; `left` counts what it has not made yet, in `unit`."""

    name: str
    unit: str
    step: Map | Match
    tasks: int
    left: Callable[[], int]
    logs: Path

    @property
    def notes(self) -> Path:
        return self.step.notes


def phases(job: Job) -> list[Phase]:
    """What is still to be done, with a new folder for its logs: datatrove's markers in an old one say nothing about
    the shards that are there now."""
    logs = job.folder / "logs" / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
    made, matched = logs / "shards", logs / "pairs"
    both = [
        Phase("cleaning", "shards", Map(job, made / "notes"), job.count, lambda: len(job.missing()), made),
        Phase(
            "matching",
            "buckets",
            Match(job, matched / "notes"),
            min(job.buckets, job.count),
            lambda: len(job.unmatched()),
            matched,
        ),
    ]
    return [phase for phase in both if phase.left()]


def attend(run: Callable[[], Any], phase: Phase, progress: Progress) -> None:
    """Call `run`, which returns when the tasks have ended, and show how far they are.

    Raises the error of a task that failed, and MachineError when a task was killed or the work is not done.
    """
    watch, total = Watch(phase.notes), phase.left()
    done = 0

    def look() -> None:
        nonlocal done
        before, done = done, total - phase.left()
        task.advance(done - before)
        if error := watch.dead():
            raise error

    with progress.task(phase.name, total=total, unit=phase.unit) as task:
        try:
            with _every(LOOK, look):
                run()
        except Exception as error:
            raise failure(phase.notes) or error from None
        look()
    if left := phase.left():
        hint = f"the logs are in {phase.logs}"
        raise failure(phase.notes) or MachineError(f"{left} of {total} {phase.unit} were not made", hint)


@contextlib.contextmanager
def _every(seconds: float, act: Callable[[], None]) -> Iterator[None]:
    """Calls `act` in this thread while the block waits for others; what it raises ends the block."""
    if threading.current_thread() is not threading.main_thread():  # signals reach only that one
        yield
        return

    def handle(number: int, frame: object) -> None:
        act()
        signal.setitimer(signal.ITIMER_REAL, seconds)

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def listen(progress: Progress, verbose: bool) -> None:
    """Let datatrove speak through `progress`: warnings, everything if asked to. Before, it is silent."""

    def say(message: Any) -> None:
        level, text = message.record["level"].name, message.record["message"].strip()
        for line in text.splitlines() if verbose else text.splitlines()[:1]:
            (progress.say if level in ("DEBUG", "INFO", "SUCCESS") else progress.warn)(line)

    logger.add(say, level="DEBUG" if verbose else "WARNING", format="{message}")


def silence() -> None:
    """No messages of datatrove from here on."""
    logger.remove()
