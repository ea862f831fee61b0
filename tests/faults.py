"""Fault loops: an action on a project is repeated, and each time its next durable operation fails or is the last one.

`for_each_fault(snapshot, action, check)` runs `action(root)` on copies of `snapshot`; the K-th call of lmcli's durable
layer raises ENOSPC or EIO once, raises at every later call too, or kills the process, for K = 1, 2, ... until the
action gets through without meeting the fault. After each trial `check(root, trial)` judges what is left. Killing forks
the test process, so an action that computes must do so in one thread.
"""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from lmcli.errors import MachineError
from lmcli.project import durable

KILLED = 137

Action = Callable[[Path], object]


@dataclass(frozen=True)
class Fault:
    """What goes wrong at the K-th durable operation: an errno (0 = the process dies), once or from there on."""

    error: int
    mode: Literal["transient", "persistent", "kill"]

    def __str__(self) -> str:
        return self.mode if self.mode == "kill" else f"{self.mode} {errno.errorcode[self.error]}"


KILL = Fault(0, "kill")
FULL_DISK = Fault(errno.ENOSPC, "persistent")
FAULTS = (
    Fault(errno.ENOSPC, "transient"),
    FULL_DISK,
    Fault(errno.EIO, "transient"),
    Fault(errno.EIO, "persistent"),
    KILL,
)


@dataclass(frozen=True)
class Trial:
    """One run of the action: `operation` is what the fault hit ("replace lmcli.lock"); `failed`, whether it showed."""

    fault: Fault
    at: int
    operation: str
    failed: bool

    def __str__(self) -> str:
        return f"{self.fault} at operation {self.at} ({self.operation})"


def for_each_fault(
    snapshot: Path,
    action: Action,
    check: Callable[[Path, Trial], None],
    faults: Sequence[Fault] = FAULTS,
    points: Callable[[int], Iterable[int]] | None = None,
) -> int:
    """The number of trials. A failing `check` is reported with the trial that it judged.

    `points` chooses some K instead of all: it is given the number of the fault in `faults`.

    Raises whatever `action` raises that is neither an OSError nor a MachineError: those are bugs.
    """
    trials = 0
    with scratch() as home:
        for number, fault in enumerate(faults):
            chosen = points(number) if points else itertools.count(1)
            for trial in _trials(snapshot, home / "project", action, fault, chosen):
                trials += 1
                try:
                    check(home / "project", trial)
                except BaseException as error:
                    error.add_note(f"after {trial}")
                    raise
    return trials


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder in memory where there is one, since a fault loop syncs thousands of files."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if os.access(memory, os.W_OK) else None) as folder:
        yield Path(folder)


def operations(snapshot: Path, action: Action) -> int:
    """How many durable operations the action makes when nothing goes wrong."""
    seen: list[str] = []
    with scratch() as home:
        shutil.copytree(snapshot, home / "project", symlinks=True)
        with watched(lambda operation, path: seen.append(operation)):
            action(home / "project")
    return len(seen)


def _trials(snapshot: Path, root: Path, action: Action, fault: Fault, points: Iterable[int]) -> Iterator[Trial]:
    for at in points:
        shutil.rmtree(root, ignore_errors=True)
        shutil.copytree(snapshot, root, symlinks=True)
        trial = _killed(root, action, at) if fault.mode == "kill" else _raised(root, action, fault, at)
        if trial is None:
            return
        yield trial


class _Counter:
    """Called before each durable operation; `strike` is what happens at the K-th, and after it where `forever`."""

    def __init__(self, at: int, strike: Callable[[str, Path], None], forever: bool) -> None:
        self.at = at
        self.strike = strike
        self.forever = forever
        self.seen = 0
        self.met = ""

    def __call__(self, operation: str, path: Path) -> None:
        self.seen += 1
        if self.seen == self.at:
            self.met = f"{operation} {path.name}"
        if self.seen == self.at or (self.forever and self.seen > self.at):
            self.strike(operation, path)


@contextmanager
def watched(hook: Callable[[str, Path], None]) -> Iterator[None]:
    """`hook` is called before each durable operation."""
    before = durable.on_operation
    durable.on_operation = hook
    try:
        yield
    finally:
        durable.on_operation = before


def _raised(root: Path, action: Action, fault: Fault, at: int) -> Trial | None:
    def strike(operation: str, path: Path) -> None:
        raise OSError(fault.error, os.strerror(fault.error), str(path))

    counter = _Counter(at, strike, fault.mode == "persistent")
    failed = False
    with watched(counter):
        try:
            action(root)
        except (OSError, MachineError):
            failed = True
            if not counter.met:
                raise
        except BaseException as error:
            error.add_note(f"{fault} at operation {at} ({counter.met})")
            raise
    return Trial(fault, at, counter.met, failed) if counter.met else None


def _killed(root: Path, action: Action, at: int) -> Trial | None:
    """The action runs in a forked child, which leaves without any clean-up at its K-th operation."""
    report = root.with_name("operation")

    def strike(operation: str, path: Path) -> None:
        report.write_text(f"{operation} {path.name}")
        os._exit(KILLED)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the child forks from a test runner that may have threads
        child = os.fork()
    if child == 0:
        try:
            with watched(_Counter(at, strike, False)):
                action(root)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if code not in (0, KILLED):
        raise AssertionError(f"the action failed by itself (exit {code}) with a kill due at operation {at}")
    return Trial(KILL, at, report.read_text(), True) if code == KILLED else None
