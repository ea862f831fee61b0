from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from lmcli.corpus.engines import notes
from lmcli.errors import ConfigError, InputError, LmcliError, MachineError


def test_a_task_is_noted_while_it_works(tmp_path: Path) -> None:
    with notes.reported(tmp_path, 3, "shard 3/7"):
        (path,) = tmp_path.iterdir()
        assert path.name == "00003.running"
        assert json.loads(path.read_bytes())["pid"] == os.getpid()
        assert notes.Watch(tmp_path).dead() is None
    assert not list(tmp_path.iterdir())
    assert notes.failure(tmp_path) is None


@pytest.mark.parametrize(
    ("error", "kind", "message", "hint"),
    [
        (InputError("bad text", "repair it"), InputError, "bad text", "repair it"),
        (ConfigError("wrong", None, "clean.preset"), ConfigError, "wrong", None),
        (OSError(28, "No space left on device", "/a"), MachineError, "No space left on device /a", "free some space"),
        (MemoryError(), MachineError, "shard 3/7: out of memory", "use fewer workers"),
        (ZeroDivisionError("by 0"), LmcliError, "shard 3/7: ZeroDivisionError: by 0", "this is a bug in lmcli"),
    ],
)
def test_an_error_comes_back(
    tmp_path: Path, error: Exception, kind: type[LmcliError], message: str, hint: str | None
) -> None:
    with pytest.raises(type(error)), notes.reported(tmp_path, 3, "shard 3/7"):
        raise error
    found = notes.failure(tmp_path)
    assert type(found) is kind
    assert found.message == message
    assert (found.hint or "").startswith(hint or "")
    with notes.reported(tmp_path, 3, "shard 3/7"):
        pass
    assert notes.failure(tmp_path) is None  # the second attempt went well


def test_the_first_task_that_failed_is_named(tmp_path: Path) -> None:
    for rank in (12, 4):
        with pytest.raises(InputError), notes.reported(tmp_path, rank, ""):
            raise InputError(f"task {rank}")
    assert str(notes.failure(tmp_path)) == "task 4"


def test_a_process_that_is_gone(tmp_path: Path) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    with notes.reported(tmp_path, 0, "shard 0/2"):
        path = tmp_path / "00000.running"
        path.write_text(json.dumps({**json.loads(path.read_bytes()), "pid": process.pid}))
        dead = notes.Watch(tmp_path).dead()
    assert dead is not None
    assert dead.message == f"shard 0/2: its process ({process.pid}) was killed"


def test_a_process_on_another_machine_counts_while_its_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "00000.running"
    path.write_text(json.dumps({"what": "shard 0/2", "home": "elsewhere", "pid": 1}))
    now = 1000.0
    monkeypatch.setattr(notes.time, "monotonic", lambda: now)
    watch = notes.Watch(tmp_path)
    for beat in (5, 5, 6, 6):  # its clock is not ours
        os.utime(path, (beat, beat))
        assert watch.dead() is None
        now += notes.SILENCE - 1
    assert watch.dead() is not None
    path.unlink()
    assert watch.dead() is None
