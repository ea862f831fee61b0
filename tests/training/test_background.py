"""Checkpoints that a thread writes while training goes on: the same bits, nothing lost, every error said."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lmcli.errors import DivergedError, MachineError, Stopped
from lmcli.models.device import Compute
from lmcli.training import checkpoints, shortage
from lmcli.training.checkpoints import Checkpoints
from lmcli.training.config import TrainConfig
from lmcli.training.errand import Errand
from lmcli.training.metrics import read_metrics
from lmcli.training.optimizers.adamw import AdamW
from lmcli.training.optimizers.muon import Muon
from lmcli.training.run import RunDirectory
from lmcli.training.saving import in_background
from lmcli.training.state import Best, State
from tests.power_loss import for_each_power_loss
from tests.training.test_going_on import before_step
from tests.training.test_loop import poisoned_at, victim
from tests.training.test_resume import count_operations, killed_at, signalled_in
from tests.training.test_shortage import DEMAND
from tests.training.tiny import STEPS, ingredients, operations, plan, run_digest, run_tiny


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def behind(optimizer: Any, **changes: Any) -> Any:
    return ingredients(optimizer, background=True, **changes)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a run ends with that saves between its steps."""
    path = tmp_path_factory.mktemp("whole")
    run_tiny(path, ingredients(AdamW()))
    return run_digest(path)


class Gate:
    """Holds the reading of checkpoints back until it is opened."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.event, self.opened_in_time = threading.Event(), True
        again = checkpoints._read_again

        def held(path: Path, digest: str) -> None:
            self.opened_in_time = self.event.wait(10) and self.opened_in_time
            again(path, digest)

        monkeypatch.setattr(checkpoints, "_read_again", held)


def test_training_goes_on_while_a_checkpoint_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate, found = Gate(monkeypatch), []

    def look() -> None:
        found.append(RunDirectory(tmp_path / "other", "key").checkpoints.last)
        gate.event.set()

    run_tiny(tmp_path / "run", behind(AdamW(), wrap=before_step(7, look)))
    assert gate.opened_in_time
    assert found == [None]


def test_the_copy_is_of_the_step_and_not_of_later_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run_tiny(tmp_path / "whole", ingredients(Muon(), keep=9))
    gate = Gate(monkeypatch)
    run_tiny(tmp_path / "behind", behind(Muon(), keep=9, wrap=before_step(8, gate.event.set)))
    one, other = (RunDirectory(tmp_path / name, "key").checkpoints for name in ("whole", "behind"))
    assert [item.step for item in other.earlier] == [20, 16, 12, 8, 4]
    for left, right in zip(one.earlier, other.earlier, strict=True):
        assert {**left.digests, "state.json": ""} == {**right.digests, "state.json": ""}
    assert run_digest(tmp_path / "behind") == run_digest(tmp_path / "whole")


@pytest.mark.parametrize("step", [1, 5, 6, 12, STEPS])
def test_a_stop_waits_for_what_is_being_written(step: int, tmp_path: Path, whole: dict[str, str]) -> None:
    path = tmp_path / "run"
    with pytest.raises(Stopped):
        run_tiny(path, behind(AdamW(), wrap=signalled_in(step, 1)))
    assert not [thread for thread in threading.enumerate() if thread.name == "errand"]
    last = RunDirectory(path, "key").checkpoints.last
    assert (last.step if last else 0) == step - 1
    run_tiny(path, behind(AdamW()))
    assert run_digest(path) == whole


def test_a_second_signal_ends_training_and_not_the_writing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(monkeypatch)

    def twice() -> None:
        threading.Timer(0.2, gate.event.set).start()
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Stopped, match="aborted"):
        run_tiny(tmp_path, behind(AdamW(), wrap=before_step(6, twice)))
    last = RunDirectory(tmp_path, "key").checkpoints.last
    assert last is not None
    assert last.step == 4


def full_from(number: int) -> Callable[[str, Path], None]:
    """A disk that is full from its `number`-th checkpoint file on."""
    files: list[str] = []

    def strike(operation: str, where: Path) -> None:
        if operation == "create" and "safetensors" in where.name:
            files.append(where.name)
            if len(files) >= number:
                raise OSError(errno.ENOSPC, "No space left on device", str(where))

    return strike


@pytest.mark.parametrize("number", [1, 2, 3, 6])
def test_a_full_disk_is_told_and_the_old_checkpoint_stays(number: int, tmp_path: Path, whole: dict[str, str]) -> None:
    with operations(full_from(number)), pytest.raises(OSError, match="No space left"):
        run_tiny(tmp_path, behind(AdamW()))
    last = RunDirectory(tmp_path, "key").checkpoints.last
    assert (last.step if last else 0) == {1: 0, 2: 0, 3: 4, 6: 8}[number]
    run_tiny(tmp_path, behind(AdamW()))
    assert run_digest(tmp_path) == whole


def test_an_error_is_told_at_the_next_step_and_not_at_the_next_save(tmp_path: Path) -> None:
    def settle() -> None:
        for thread in threading.enumerate():
            if thread.name == "errand":
                thread.join()

    with operations(full_from(1)), pytest.raises(OSError, match="No space left"):
        run_tiny(tmp_path, behind(AdamW(), wrap=before_step(5, settle)), save_every=4)
    assert [row["step"] for row in read_metrics(tmp_path / "metrics.jsonl")] == [1, 2, 3, 4, 5]


def test_what_reads_back_otherwise_has_exit_code_5(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def rotten(path: Path, digest: str) -> None:
        if "step-00000008" in str(path):
            raise checkpoints.reads_otherwise(path)

    monkeypatch.setattr(checkpoints, "_read_again", rotten)
    with pytest.raises(MachineError, match="reads back otherwise") as error:
        run_tiny(tmp_path, behind(AdamW()))
    assert error.value.exit_code == 5
    last = RunDirectory(tmp_path, "key").checkpoints.last
    assert last is not None
    assert last.step == 4


def test_a_divergence_names_the_checkpoint_that_was_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = Gate(monkeypatch)
    threading.Timer(0.3, gate.event.set).start()
    parts = behind(AdamW(), wrap=poisoned_at(5))
    victim[:] = [parts.stepper.model.embedding]
    with pytest.raises(DivergedError, match="the last good checkpoint is step 4"):
        run_tiny(tmp_path, parts)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.75, 0.9])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_killed_at_a_durable_operation(share: float, tmp_path: Path, whole: dict[str, str]) -> None:
    number = max(1, round(share * count_operations(tmp_path / "count", background=True)))
    path = tmp_path / "run"
    assert killed_at(number, path, background=True) == 137
    run_tiny(path, behind(AdamW()))
    assert run_digest(path) == whole


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_killed_at_every_durable_operation(tmp_path: Path, whole: dict[str, str]) -> None:
    for number in range(1, count_operations(tmp_path / "count", background=True) + 1):
        path = tmp_path / f"run-{number}"
        assert killed_at(number, path, background=True) == 137
        run_tiny(path, behind(AdamW()))
        assert run_digest(path) == whole, number


def saved(root: Path, step: int) -> None:
    weights = {"weight": torch.full((3,), float(step))}
    Checkpoints(root).save(State(step=step, best=Best(step, None)), weights, {"moment": torch.ones(2)}, weights)


def test_no_power_loss_leaves_less_than_one_of_two_checkpoints(tmp_path: Path) -> None:
    snapshot = tmp_path / "before"
    snapshot.mkdir()
    saved(snapshot, 1)

    def action(root: Path) -> None:
        errand = Errand()
        errand.start(lambda: saved(root, 2))
        errand.wait()

    def check(root: Path, moment: str) -> None:
        kept = Checkpoints(root)
        assert kept.last is not None
        kept.check_last()
        assert torch.equal(kept.load_best()["weight"], torch.full((3,), float(kept.last.step)))

    assert for_each_power_loss(snapshot, action, check) >= 20


def test_one_errand_at_a_time_and_no_error_twice() -> None:
    errand, order = Errand(), []
    release = threading.Event()
    errand.start(lambda: order.append(release.wait(10)))
    errand.look()
    threading.Timer(0.05, release.set).start()
    errand.start(lambda: order.append("second"))
    errand.wait()
    assert order == [True, "second"]

    def fail() -> None:
        raise MachineError("no")

    errand.start(fail)
    with pytest.raises(MachineError, match="no"):
        errand.wait()
    errand.look()
    errand.wait()


@pytest.mark.parametrize(
    ("asked", "device", "threads", "processes", "expected"),
    [
        ("auto", "cpu", 1, 1, True),
        ("auto", "cpu", 4, 1, False),
        ("auto", "cpu", 2, 2, False),
        ("auto", "cpu", 1, 3, True),
        ("auto", "cuda", 4, 1, True),
        ("always", "cpu", 4, 1, True),
        ("never", "cuda", 1, 1, False),
    ],
)
def test_where_it_pays(
    asked: str, device: str, threads: int, processes: int, expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(4)))
    assert in_background(asked, Compute(device, "float32", threads, processes)) == expected


def test_the_copy_is_a_part_of_the_memory_and_is_left_out_where_that_is_scarce(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, copying = DEMAND.memory, replace(DEMAND, background=True).memory
    assert copying.total - plain.total == copying.copied == (4 + 8 + 4) * DEMAND.shape.parameters
    assert replace(DEMAND, background=True, device="cuda").memory.total == plain.total
    compute = Compute("cpu", "float32", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0, 1})

    def asked(how: str, free: int) -> shortage.Demand:
        monkeypatch.setattr(shortage, "free_bytes", lambda *_: free)
        return shortage.demand(
            replace(plan().model, tie_embeddings=True),
            65,
            8,
            8,
            TrainConfig(optimizer=AdamW(), save_in_background=how),
            compute,
        )

    enough = asked("always", 0).memory.total
    assert asked("auto", enough).background
    assert not asked("auto", enough - 1).background
    assert asked("always", enough - 1).background
