"""A run that `--force` has begun: anew, unless that was begun already and stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmcli.errors import MachineError, Stopped
from lmcli.progress import Silent
from lmcli.project.stage import Work
from lmcli.stages.publishing import opened_run


def work(root: Path, force: bool = True) -> Work:
    return Work("model", "key", root / "out", root, {}, {}, Silent(), force=force)


def began(root: Path, force: bool = True, ends: BaseException | None = None) -> bool:
    """Whether training stood at the beginning; it leaves a file, and ends as is asked for."""
    trained = root / "runs" / "model" / "steps"
    with opened_run(work(root, force)):
        fresh = not trained.exists()
        trained.parent.mkdir(parents=True, exist_ok=True)
        trained.write_text("some")
        if ends:
            raise ends
    return fresh


@pytest.mark.parametrize("end", [Stopped(2, "stopped"), MachineError("the disk is full")])
def test_what_was_stopped_goes_on_once(end: BaseException, tmp_path: Path) -> None:
    began(tmp_path, force=False)
    with pytest.raises(type(end)):
        began(tmp_path, ends=end)
    assert (tmp_path / "runs" / "model.1" / "steps").exists()  # the run before
    assert not began(tmp_path)
    assert began(tmp_path)


def test_what_is_broken_begins_anew(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        began(tmp_path, ends=Stopped(2, "stopped"))
    with pytest.raises(ValueError, match="damaged"):
        began(tmp_path, ends=ValueError("damaged"))
    assert began(tmp_path)


def test_without_force_a_run_goes_on(tmp_path: Path) -> None:
    began(tmp_path, force=False)
    assert not began(tmp_path, force=False)
