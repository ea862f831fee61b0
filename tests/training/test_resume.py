"""A run that was stopped, anywhere and by anything, ends in the same bits as one that was not."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from lmcli.errors import Stopped
from lmcli.objectives.batch import Batch
from lmcli.training.ingredients import Probe, Source
from lmcli.training.optimizers import OPTIMIZERS
from lmcli.training.optimizers.adamw import AdamW
from lmcli.training.optimizers.muon import Muon
from tests.training.tiny import EPOCH, STEPS, ingredients, operations, run_digest, run_tiny


def test_a_signal_that_comes_with_the_last_step_is_heard(tmp_path: Path) -> None:
    probe = Probe(lambda step: step == STEPS, lambda step, model: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(Stopped, match=f"stopped after step {STEPS} of {STEPS}"):
        run_tiny(tmp_path, ingredients(AdamW(), probes=(probe,)))
    assert run_tiny(tmp_path, ingredients(AdamW())).ending == "steps"


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], dict[str, str]]:
    @cache
    def digest(name: str) -> dict[str, str]:
        path = tmp_path_factory.mktemp("whole") / name
        run_tiny(path, ingredients(OPTIMIZERS.load(name)()))
        return run_digest(path)

    return digest


def signalled_in(step: int, micro_batch: int) -> Callable[[Source], Source]:
    """A source that sends SIGTERM to the process while it hands out a micro-batch of a step."""

    class Batches(list[Batch]):
        def __iter__(self):  # type: ignore[no-untyped-def]
            for index, batch in enumerate(list.__iter__(self)):
                if index == micro_batch and self.armed:
                    self.armed = False
                    os.kill(os.getpid(), signal.SIGTERM)
                yield batch

        armed = True

    def wrap(source: Source) -> Source:
        def call(number: int) -> Sequence[Batch]:
            batches = Batches(source(number))
            batches.armed = number == step
            return batches

        return call

    return wrap


@pytest.mark.parametrize(
    ("name", "step", "micro_batch"),
    [
        ("adamw", 1, 0),
        ("muon", 2, 1),
        ("adamw", 4, 1),
        ("muon", 5, 0),
        ("muon", EPOCH, 1),
        ("adamw", EPOCH + 1, 0),
        ("muon", 2 * EPOCH + 1, 1),
        ("adamw", STEPS, 1),
        ("adam", 5, 1),
        ("sgd", 5, 1),
        ("adagrad", 5, 1),
        ("adafactor", 5, 1),
        ("custom", 5, 1),
    ],
)
def test_stopped_by_a_signal_at_a_step(
    name: str, step: int, micro_batch: int, tmp_path: Path, uninterrupted: Callable[[str], dict[str, str]]
) -> None:
    path = tmp_path / "run"
    with pytest.raises(Stopped) as stop:
        run_tiny(path, ingredients(OPTIMIZERS.load(name)(), wrap=signalled_in(step, micro_batch)))
    assert stop.value.exit_code == 143
    run_tiny(path, ingredients(OPTIMIZERS.load(name)()))
    assert run_digest(path) == uninterrupted(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["adamw", "muon"])
@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_stopped_by_a_signal_at_every_step(
    name: str, step: int, tmp_path: Path, uninterrupted: Callable[[str], dict[str, str]]
) -> None:
    test_stopped_by_a_signal_at_a_step(name, step, 1, tmp_path, uninterrupted)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_stopped_again_and_again(name: str, tmp_path: Path, uninterrupted: Callable[[str], dict[str, str]]) -> None:
    path = tmp_path / "run"
    for step in range(3, STEPS, 3):
        with pytest.raises(Stopped):
            run_tiny(path, ingredients(OPTIMIZERS.load(name)(), wrap=signalled_in(step, 0)))
    run_tiny(path, ingredients(OPTIMIZERS.load(name)()))
    assert run_digest(path) == uninterrupted(name)


@pytest.mark.parametrize("evaluation", [1, 3, 5])
def test_stopped_in_a_validation(
    evaluation: int, tmp_path: Path, uninterrupted: Callable[[str], dict[str, str]]
) -> None:
    path = tmp_path / "run"
    parts = ingredients(AdamW())
    validate, calls = parts.validate, []
    assert validate is not None

    def stopping(model, check):  # type: ignore[no-untyped-def]
        calls.append(1)
        if len(calls) == evaluation:
            os.kill(os.getpid(), signal.SIGINT)
        return validate(model, check)

    object.__setattr__(parts, "validate", stopping)
    with pytest.raises(Stopped) as stop:
        run_tiny(path, parts)
    assert stop.value.exit_code == 130
    run_tiny(path, ingredients(AdamW()))
    assert run_digest(path) == uninterrupted("adamw")


def test_two_threads_give_the_same_bits_after_a_stop(tmp_path: Path) -> None:
    torch.set_num_threads(2)
    run_tiny(tmp_path / "whole", ingredients(Muon()))
    with pytest.raises(Stopped):
        run_tiny(tmp_path / "cut", ingredients(Muon(), wrap=signalled_in(EPOCH + 3, 1)))
    run_tiny(tmp_path / "cut", ingredients(Muon()))
    assert run_digest(tmp_path / "cut") == run_digest(tmp_path / "whole")


def count_operations(path: Path, **changes: Any) -> int:
    seen: list[str] = []
    with operations(lambda operation, _: seen.append(operation)):
        run_tiny(path, ingredients(AdamW(), **changes))
    return len(seen)


def killed_at(operation_number: int, path: Path, **changes: Any) -> int:
    """Train in a child that dies like one that was killed just before its K-th operation; its exit code."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    seen: list[str] = []

    def die(operation: str, _: Path) -> None:
        seen.append(operation)
        if len(seen) == operation_number:
            os._exit(137)

    try:
        with operations(die):
            run_tiny(path, ingredients(AdamW(), **changes))
        os._exit(0)
    finally:
        os._exit(99)


@pytest.mark.parametrize("share", [0.0, 0.15, 0.4, 0.6, 0.8, 1.0])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_killed_at_a_durable_operation(
    share: float, tmp_path: Path, uninterrupted: Callable[[str], dict[str, str]]
) -> None:
    number = max(1, round(share * count_operations(tmp_path / "count")))
    path = tmp_path / "run"
    assert killed_at(number, path) == 137
    run_tiny(path, ingredients(AdamW()))
    assert run_digest(path) == uninterrupted("adamw")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_killed_at_every_durable_operation(tmp_path: Path, uninterrupted: Callable[[str], dict[str, str]]) -> None:
    for number in range(1, count_operations(tmp_path / "count") + 1):
        path = tmp_path / f"run-{number}"
        assert killed_at(number, path) == 137
        run_tiny(path, ingredients(AdamW()))
        assert run_digest(path) == uninterrupted("adamw"), number


@pytest.mark.parametrize("persistent", [False, True])
def test_a_full_disk_ends_the_command_and_costs_nothing_but_time(
    persistent: bool, tmp_path: Path, uninterrupted: Callable[[str], dict[str, str]]
) -> None:
    total = count_operations(tmp_path / "count")
    for number in {1, total // 3, total // 2 + 1, total - 4}:
        path, seen = tmp_path / f"run-{number}", []

        def full(operation: str, where: Path, number: int = number, seen: list[str] = seen) -> None:
            seen.append(operation)
            if operation != "append" and (len(seen) == number or (persistent and len(seen) > number)):
                raise OSError(errno.ENOSPC, "No space left on device", str(where))

        with operations(full):
            try:
                run_tiny(path, ingredients(AdamW()))
            except OSError as error:
                assert error.errno == errno.ENOSPC
        run_tiny(path, ingredients(AdamW()))
        assert run_digest(path) == uninterrupted("adamw"), number
