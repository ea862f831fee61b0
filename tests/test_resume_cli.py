"""`lmcli train` in a process of its own, stopped and started again, ends with the weights of a run without a stop."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Lmcli
from tests.projects import command, digests, lock

STEPS = 40
SAVE_EVERY = 6
SHAPE = ("--set", "model.width=32", "--set", "model.depth=2", "--set", "model.context=32")
PACE = ("--set", "train.batch_tokens=256", "--set", "train.eval_every=5", "--set", f"train.save_every={SAVE_EVERY}")
TRAIN = ("train", "--steps", str(STEPS), "--name", "long", *SHAPE, *PACE)
ACCUMULATED = (*TRAIN, "--set", "train.micro_batch=2")  # 8 rows in a step, 2 at once


def start(root: Path, line: tuple[str, ...]) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    return subprocess.Popen(
        [sys.executable, "-m", "lmcli", *line],
        cwd=root,
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def steps_logged(root: Path) -> int:
    """The last step in metrics.jsonl; 0 before the first."""
    try:
        rows = (root / "runs" / "long" / "metrics.jsonl").read_text().splitlines()
    except OSError:
        return 0
    return max((json.loads(row)["step"] for row in rows if row.endswith("}")), default=0)


def step_saved(root: Path) -> int:
    try:
        return int(json.loads((root / "runs" / "long" / "checkpoints.json").read_text())["last"]["step"])
    except OSError:
        return 0


def stop_at(root: Path, line: tuple[str, ...], number: signal.Signals, due: Callable[[Path], bool]) -> tuple[int, int]:
    """Start the command and stop it once `due`; its exit code (negative for a kill) and the last logged step."""
    process = start(root, line)
    deadline = time.monotonic() + 120
    while not due(root) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err, err
    if number is not signal.SIGKILL:
        assert out == ""
        assert err.splitlines()[-1].startswith("error: stopped after step "), err
        assert err.splitlines()[-1].endswith("the same command goes on from there"), err
    return process.returncode, steps_logged(root)


@pytest.fixture(scope="module")
def straight(snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, ...], str]:
    """The digests of the model when nothing stops the run."""
    found = {}
    for number, line in enumerate((TRAIN, ACCUMULATED)):
        root = shutil.copytree(snapshot, tmp_path_factory.mktemp("straight") / str(number))
        assert command(root, *line) == 0
        found[line] = digests(root)["long"]
    return found


def epoch_end(root: Path) -> int:
    """The first step after the first pass over the data."""
    report = lock(root)["tokens"]["report"]
    return int(report["sides"]["train"]["tokens"]) // 256 + 1


def test_killed_after_an_epoch_boundary_in_mid_accumulation(
    lmcli: Lmcli, trained: Path, straight: dict[tuple[str, ...], str]
) -> None:
    boundary = max(epoch_end(trained), 2 * SAVE_EVERY + 1)
    assert boundary < STEPS - SAVE_EVERY
    code, reached = stop_at(trained, ACCUMULATED, signal.SIGKILL, lambda root: steps_logged(root) >= boundary)
    assert code == -signal.SIGKILL
    assert boundary <= reached < STEPS
    saved = step_saved(trained)
    assert reached - saved <= 2 * SAVE_EVERY  # one that a thread was writing is gone
    resumed = lmcli(*ACCUMULATED)
    assert f"going on after step {saved} of {STEPS}" in resumed.err
    assert digests(trained)["long"] == straight[ACCUMULATED]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.slow)]
)
def test_a_signal_saves_the_last_step_and_tells_its_exit_code(
    lmcli: Lmcli, trained: Path, straight: dict[tuple[str, ...], str], number: signal.Signals, code: int
) -> None:
    assert stop_at(trained, TRAIN, number, lambda root: steps_logged(root) >= 9)[0] == code
    saved = step_saved(trained)
    assert 9 <= saved < STEPS
    assert saved - steps_logged(trained) in (0, 1)  # nothing is lost: what was logged is saved
    assert "long" not in lock(trained)
    resumed = lmcli(*TRAIN)
    assert f"going on after step {saved} of {STEPS}" in resumed.err
    assert digests(trained)["long"] == straight[TRAIN]
    rows = [json.loads(row) for row in (trained / "runs" / "long" / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == sorted({row["step"] for row in rows})


@pytest.mark.slow
@pytest.mark.parametrize("line", [TRAIN, ACCUMULATED], ids=["whole", "accumulated"])
def test_killed_again_and_again(trained: Path, straight: dict[tuple[str, ...], str], line: tuple[str, ...]) -> None:
    """Every run gets a few steps further; signals of all three kinds, one after the other.

    A checkpoint that a thread is still writing dies with its process; the one before is whole when the next begins.
    """
    signals = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
    for kill in range(20):
        before = step_saved(trained)
        goal = before + 2 * SAVE_EVERY + 1 + kill % 3
        if goal >= STEPS - 2:
            break
        code, reached = stop_at(trained, line, signals[kill % 3], lambda root, goal=goal: steps_logged(root) >= goal)
        assert code in (-9, 143, 130)
        assert reached - step_saved(trained) <= 2 * SAVE_EVERY
        assert step_saved(trained) > before
    else:
        raise AssertionError("no progress")
    assert command(trained, *line) == 0
    assert digests(trained)["long"] == straight[line]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_stopped_before_the_first_step(
    trained: Path, straight: dict[tuple[str, ...], str], number: signal.Signals
) -> None:
    process = start(trained, TRAIN)
    while not (trained / "runs" / "long").exists() and process.poll() is None:
        time.sleep(0.001)
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode in (-9, 143)
    assert command(trained, *TRAIN) == 0
    assert digests(trained)["long"] == straight[TRAIN]


@pytest.mark.slow
def test_a_fine_tune_that_is_killed_goes_on(trained: Path, tmp_path: Path) -> None:
    line = ("finetune", "pairs.jsonl", "--name", "long", "--steps", str(STEPS), "--set", "finetune.save_every=3")
    other = shutil.copytree(trained, tmp_path / "other")
    assert command(other, *line) == 0
    code, _ = stop_at(trained, line, signal.SIGKILL, lambda root: steps_logged(root) >= 10)
    assert code == -9
    assert command(trained, *line) == 0
    assert digests(trained)["long"] == digests(other)["long"]


@pytest.mark.parametrize("numbers", [(signal.SIGUSR1,), (signal.SIGTSTP, signal.SIGSTOP)], ids=["save", "pause"])
def test_signals_that_end_nothing_change_nothing(
    trained: Path, straight: dict[tuple[str, ...], str], numbers: tuple[signal.Signals, ...]
) -> None:
    """SIGUSR1 saves a checkpoint and training goes on; a run that is paused goes on with SIGCONT."""
    process = start(trained, TRAIN)
    deadline = time.monotonic() + 120
    while steps_logged(trained) < 9 and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.001)
    for number in numbers:
        process.send_signal(number)
        time.sleep(0.05)
        process.send_signal(signal.SIGCONT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert digests(trained)["long"] == straight[TRAIN]
