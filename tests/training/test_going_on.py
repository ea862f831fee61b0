"""Signals that a run goes on after: one that asks for a checkpoint, and being suspended for a while."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from lmcli.objectives.batch import Batch
from lmcli.training.ingredients import Source
from lmcli.training.optimizers.adamw import AdamW
from lmcli.training.run import RunDirectory
from tests.training.tiny import ingredients, run_digest, run_tiny


def before_step(step: int, act: Callable[[], None]) -> Callable[[Source], Source]:
    def wrap(source: Source) -> Source:
        def call(number: int) -> Sequence[Batch]:
            if number == step:
                act()
            return source(number)

        return call

    return wrap


def test_a_checkpoint_on_request(tmp_path: Path) -> None:
    run_tiny(tmp_path / "whole", ingredients(AdamW()))
    found = []

    def ask() -> None:
        os.kill(os.getpid(), signal.SIGUSR1)

    def look() -> None:
        found.append(RunDirectory(tmp_path / "asked", "key").checkpoints.last)

    wrap_both = lambda source: before_step(7, look)(before_step(6, ask)(source))  # noqa: E731
    run_tiny(tmp_path / "asked", ingredients(AdamW(), wrap=wrap_both))
    assert [checkpoint and checkpoint.step for checkpoint in found] == [6]
    assert run_digest(tmp_path / "asked") == run_digest(tmp_path / "whole")


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_being_suspended_changes_nothing(tmp_path: Path) -> None:
    run_tiny(tmp_path / "whole", ingredients(AdamW()))
    child = os.fork()
    if not child:
        try:
            os.setpgid(
                0, 0
            )  # a group of its own, as a shell's job has: the signal is ignored where no one could wake it
            suspend = before_step(6, lambda: os.kill(os.getpid(), signal.SIGTSTP))
            run_tiny(tmp_path / "suspended", ingredients(AdamW(), wrap=suspend))
            os._exit(0)
        finally:
            os._exit(99)
    _, status = os.waitpid(child, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    time.sleep(0.05)
    os.kill(child, signal.SIGCONT)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert run_digest(tmp_path / "suspended") == run_digest(tmp_path / "whole")
