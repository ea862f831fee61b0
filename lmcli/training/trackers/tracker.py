"""What a tracker is told, and how its failures are kept away from training."""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from lmcli.errors import LmcliError, MachineError
from lmcli.progress import Progress
from lmcli.training.shared_run import Run

Row = Mapping[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Tracked:
    """The run that is told of: rows follow for the steps after `step`, 0 when it begins.

    `name` is its place below runs/, `project` the name of the project's folder; `settings` is its plan, as JSON values;
    `directory` is where files of a tracker belong.
    """

    name: str
    project: str
    directory: Path
    step: int
    settings: Mapping[str, Any]


class Tracker(Protocol):
    """Gets the rows of metrics.jsonl, in order. After a kill some may come again, with the same figures."""

    def log(self, row: Row) -> None: ...

    def close(self) -> None: ...


class TrackerSettings(Protocol):
    """What the registry names. Raises MachineError with the line that installs it when its package is missing."""

    def start(self, run: Tracked) -> Tracker: ...


def library(package: str, extra: str) -> Any:
    """The module of a tracker."""
    try:
        return importlib.import_module(package)
    except ImportError:
        message = f"the tracker {extra} needs its package, which is not installed"
        raise MachineError(message, f'pip install "lmcli[{extra}]"') from None


def figures(row: Row) -> dict[str, float]:
    """The numbers of a row, without its step."""
    return {key: value for key, value in row.items() if key != "step" and isinstance(value, int | float)}


@contextlib.contextmanager
def tracking(
    settings: Sequence[TrackerSettings], run: Run, progress: Progress
) -> Iterator[Callable[[Row], None] | None]:
    """Start the trackers for a run that is not over, and give what takes its rows; None when there are none.

    Raises MachineError for a missing package. A tracker that fails in any other way is left out with one warning.
    """
    state = run.checkpoints.state()
    if not settings or (state is not None and state.ending):
        yield None
        return
    assert run.plan is not None
    step = state.step - (1 if state.pending else 0) if state else 0
    project, name = _called(run.path)
    tracked = Tracked(name=name, project=project, directory=run.path, step=step, settings=run.plan.to_json())
    fan = _Fan(progress)
    try:
        fan.start(settings, tracked)
        yield fan.log
    finally:
        fan.close()


def _called(path: Path) -> tuple[str, str]:
    """The name of the project and that of a run: `model`, or `sweep-DIGEST8/trial-01` for a trial of a sweep."""
    path = path.absolute()
    runs = next((above for above in path.parents[:2] if above.name == "runs"), path.parent)
    return runs.parent.name, path.relative_to(runs).as_posix()


class _Fan:
    """Passes everything on to the trackers that still work; what they print goes nowhere."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._trackers: list[tuple[str, Tracker]] = []
        self._failed: set[str] = set()

    def start(self, settings: Sequence[TrackerSettings], run: Tracked) -> None:
        for item in settings:
            name = type(item).__name__.lower()
            if (tracker := self._result(name, partial(item.start, run))) is not None:
                self._trackers.append((name, tracker))

    def log(self, row: Row) -> None:
        for name, tracker in self._trackers:
            self._result(name, partial(tracker.log, row))
        self._trackers = [(name, tracker) for name, tracker in self._trackers if name not in self._failed]

    def close(self) -> None:
        for name, tracker in self._trackers:
            self._result(name, tracker.close)

    def _result(self, name: str, call: Callable[[], T]) -> T | None:
        """Do a tracker's work; None and a warning when it fails."""
        try:
            with contextlib.redirect_stdout(io.StringIO()):
                return call()
        except LmcliError:
            raise
        except Exception as error:
            self._failed.add(name)
            self._progress.warn(f"the tracker {name} failed ({error}); training goes on without it")
            return None
