"""Rows reach the trackers, and whatever a tracker does, training ends with the same bits."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from lmcli.config import decode, dump
from lmcli.errors import MachineError, Stopped
from lmcli.progress import Progress, Silent
from lmcli.training.clock import Clock
from lmcli.training.config import TrainConfig
from lmcli.training.loop import train
from lmcli.training.metrics import read_metrics
from lmcli.training.optimizers.adamw import AdamW
from lmcli.training.run import RunDirectory
from lmcli.training.trackers.tensorboard import TensorBoard
from lmcli.training.trackers.tracker import Tracked, TrackerSettings, tracking
from lmcli.training.trackers.trackio import Trackio
from lmcli.training.trackers.wandb import Wandb
from tests.training.test_loop import Notes
from tests.training.test_resume import signalled_in
from tests.training.tiny import STEPS, ingredients, plan, run_digest, run_tiny

Rows = list[dict[str, Any]]


def run_tracked(path: Path, *settings: TrackerSettings, progress: Progress | None = None, **changes: Any) -> None:
    run = RunDirectory(path, "key")
    if run.plan is None:
        run.begin(plan())
    progress = progress or Silent()
    with tracking(settings, run, progress) as on_row:
        train(run, replace(ingredients(AdamW(), **changes), on_row=on_row), progress, Clock(0.0, lambda: 0.0))


class Recorder:
    """A tracker of its own: what it was told, and after how many rows it fails."""

    def __init__(self, fails_after: int = 1000, fails_to_start: bool = False) -> None:
        self.rows: Rows = []
        self.started: list[Tracked] = []
        self.closed = 0
        self._fails_after, self._fails_to_start = fails_after, fails_to_start

    def start(self, run: Tracked) -> Recorder:
        if self._fails_to_start:
            raise RuntimeError("no server")
        self.started.append(run)
        return self

    def log(self, row: Mapping[str, Any]) -> None:
        if len(self.rows) == self._fails_after:
            raise ConnectionError("gone")
        self.rows.append(dict(row))

    def close(self) -> None:
        self.closed += 1


def test_a_tracker_gets_the_rows_of_the_log(tmp_path: Path) -> None:
    recorder = Recorder()
    run_tracked(tmp_path / "project" / "runs" / "model", recorder)
    assert recorder.rows == read_metrics(tmp_path / "project" / "runs" / "model" / "metrics.jsonl")
    (told,) = recorder.started
    assert (told.name, told.project, told.step, told.settings["vocab_size"]) == ("model", "project", 0, 31)
    assert recorder.closed == 1


@pytest.mark.parametrize("name", ["model", "runs", "sweep-0123abcd/trial-01"])
def test_a_run_is_called_as_its_place_in_the_project(tmp_path: Path, name: str) -> None:
    recorder = Recorder()
    run_tracked(tmp_path / "runs" / "project" / "runs" / name, recorder)
    (told,) = recorder.started
    assert (told.name, told.project) == (name, "project")


def test_a_run_that_is_over_starts_no_tracker(tmp_path: Path) -> None:
    run_tracked(tmp_path)
    recorder = Recorder()
    run_tracked(tmp_path, recorder)
    assert recorder.started == []


def test_a_resumed_run_says_where_it_goes_on(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        run_tracked(tmp_path, wrap=signalled_in(8, 0))
    recorder = Recorder()
    run_tracked(tmp_path, recorder)
    assert recorder.started[0].step == 7
    assert [row["step"] for row in recorder.rows] == list(range(8, STEPS + 1))


@pytest.mark.parametrize("recorder", [Recorder(fails_after=3), Recorder(fails_to_start=True)])
def test_a_tracker_that_fails_warns_once_and_stops_nothing(recorder: Recorder, tmp_path: Path) -> None:
    class Other(Recorder):
        pass

    notes, other = Notes(), Other()
    run_tracked(tmp_path / "tracked", recorder, other, progress=notes)
    run_tiny(tmp_path / "plain", ingredients(AdamW()))
    assert run_digest(tmp_path / "tracked") == run_digest(tmp_path / "plain")
    assert [line for line in notes.said if "training goes on without it" in line] == notes.said
    assert len(notes.said) == 1
    assert len(other.rows) == STEPS


@pytest.mark.parametrize(
    ("settings", "package"), [(TensorBoard(), "tensorboard"), (Wandb(), "wandb"), (Trackio(), "trackio")]
)
def test_a_missing_package_is_named_before_training(
    settings: TrackerSettings, package: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(MachineError) as error:
        run_tracked(tmp_path, settings)
    assert error.value.hint == f'pip install "lmcli[{package}]"'
    assert read_metrics(tmp_path / "metrics.jsonl") == []


def test_what_a_tracker_prints_stays_off_stdout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    class Loud(Recorder):
        def log(self, row: Mapping[str, Any]) -> None:
            sys.stdout.write("hello")

    run_tracked(tmp_path, Loud())
    assert capsys.readouterr().out == ""


def test_trackers_are_settings_that_change_no_result() -> None:
    config = decode(TrainConfig, {"trackers": ["tensorboard", {"name": "wandb", "project": "mine"}]})
    assert config.trackers == (TensorBoard(), Wandb(project="mine"))
    assert dump(config) == dump(TrainConfig())


@pytest.mark.filterwarnings("ignore")
def test_tensorboard_reads_back_what_was_logged_once_in_spite_of_a_stop(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with pytest.raises(Stopped):
        run_tracked(tmp_path, TensorBoard(), wrap=signalled_in(9, 1))
    run_tracked(tmp_path, TensorBoard())
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    rows = read_metrics(tmp_path / "metrics.jsonl")
    for name in ("loss", "lr", "val_bpb"):
        logged = {event.step: event.value for event in events.Scalars(name)}
        assert logged == pytest.approx({row["step"]: row[name] for row in rows if name in row}, rel=1e-6)
        assert len(events.Scalars(name)) == len(logged)


@pytest.fixture
def stand_in(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A module with the part of wandb's and trackio's interface that is used: `init`, `log`, `finish`."""
    calls = SimpleNamespace(init=[], rows=[], finished=0)

    class Run:
        def log(self, metrics: dict[str, float], step: int) -> None:
            calls.rows.append({"step": step, **metrics})

        def finish(self) -> None:
            calls.finished += 1

    def init(**values: Any) -> Run:
        calls.init.append(values)
        return Run()

    for name in ("wandb", "trackio"):
        module = ModuleType(name)
        module.init = init  # type: ignore[attr-defined]
        module.Settings = dict  # type: ignore[attr-defined]
        module.log, module.finish = Run().log, Run().finish  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, name, module)
    return calls


def test_wandb_is_offline_and_a_resumed_run_keeps_its_identity(
    stand_in: SimpleNamespace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_MODE", raising=False)
    with pytest.raises(Stopped):
        run_tracked(tmp_path, Wandb(), wrap=signalled_in(9, 1))
    monkeypatch.setenv("WANDB_MODE", "online")
    run_tracked(tmp_path, Wandb(project="mine"))
    first, second = stand_in.init
    assert (first["mode"], first["resume"], first["project"]) == ("offline", None, tmp_path.parent.parent.name)
    assert (second["mode"], second["resume"], second["project"]) == ("online", "allow", "mine")
    assert first["id"] == second["id"]
    assert [row["step"] for row in stand_in.rows] == list(range(1, STEPS + 1))
    assert stand_in.finished == 2


def test_trackio_goes_on_with_a_resumed_run(stand_in: SimpleNamespace, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        run_tracked(tmp_path, Trackio(), wrap=signalled_in(9, 1))
    run_tracked(tmp_path, Trackio())
    assert [values["resume"] for values in stand_in.init] == ["never", "allow"]
    assert [row["step"] for row in stand_in.rows] == list(range(1, STEPS + 1))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_wandb_itself_writes_an_offline_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb")
    monkeypatch.delenv("WANDB_MODE", raising=False)
    notes = Notes()
    run_tracked(tmp_path, Wandb(), progress=notes)
    assert notes.said == []
    (file,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    assert b"val_bpb" in file.read_bytes()


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_trackio_itself_writes_its_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    utils = pytest.importorskip("trackio.utils")
    storage = pytest.importorskip("trackio.sqlite_storage")
    for module in (utils, storage):
        monkeypatch.setattr(module, "TRACKIO_DIR", tmp_path / "trackio")
    notes = Notes()
    run_tracked(tmp_path / "project" / "runs" / "model", Trackio(project="mine"), progress=notes)
    assert notes.said == []
    (database,) = (tmp_path / "trackio").glob("mine*.db")
    with contextlib.closing(sqlite3.connect(database)) as connection:
        steps = [step for (step,) in connection.execute("SELECT step FROM metrics ORDER BY step")]
    assert steps == list(range(1, STEPS + 1))
