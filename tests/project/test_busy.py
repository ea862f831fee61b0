from __future__ import annotations

import errno
import fcntl
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lmcli.errors import BusyError, MachineError
from lmcli.project import busy

HOLD = """
import sys, time
from pathlib import Path
from lmcli.project import busy
with busy.writing(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""
ADD_ONE = """
import sys
from pathlib import Path
from lmcli.errors import BusyError
from lmcli.project import busy
root, done = Path(sys.argv[1]), 0
while done < 20:
    try:
        with busy.writing(root):
            count = root / "count"
            count.write_text(str(int(count.read_text()) + 1))
            done += 1
    except BusyError:
        pass
"""


@contextmanager
def holder(root: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the project, started as `lmcli ROOT train`."""
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(root), "train"], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_second_writer_is_told_at_once_who_holds_the_project(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        started = time.monotonic()
        with pytest.raises(BusyError) as caught, busy.writing(tmp_path):
            pass
        assert time.monotonic() - started < 1
        assert caught.value.exit_code == 6
        assert caught.value.message == f"{tmp_path} is in use by process {process.pid} (lmcli {tmp_path} train)"
        assert caught.value.hint == "wait for it to end, then run this again"


def test_what_becomes_of_the_note_changes_nothing(tmp_path: Path) -> None:
    with holder(tmp_path):
        for text in ("", "{", "[]", '{"pid": 1}', None):
            note = tmp_path / ".lmcli" / "writer.json"
            note.write_text(text) if text is not None else shutil.rmtree(tmp_path / ".lmcli")
            with pytest.raises(BusyError, match="is in use by another process"), busy.writing(tmp_path):
                pass


def test_a_killed_holder_frees_the_project(tmp_path: Path) -> None:
    with holder(tmp_path) as process:
        process.send_signal(signal.SIGKILL)
        process.wait()
        with busy.writing(tmp_path):
            pass
    with busy.writing(tmp_path):
        pass


def test_a_copy_of_a_project_that_is_held_is_free(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    with holder(tmp_path / "project"):
        shutil.copytree(tmp_path / "project", tmp_path / "copy")
        with busy.writing(tmp_path / "copy"):
            pass


def test_an_error_inside_frees_the_project(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), busy.writing(tmp_path):
        raise ZeroDivisionError
    with busy.writing(tmp_path), pytest.raises(BusyError), busy.writing(tmp_path):
        pass


def test_of_many_writers_none_gets_in_the_way_of_another(tmp_path: Path) -> None:
    (tmp_path / "count").write_text("0")
    racers = [subprocess.Popen([sys.executable, "-c", ADD_ONE, str(tmp_path)]) for _ in range(3)]
    assert [racer.wait(timeout=60) for racer in racers] == [0, 0, 0]
    assert (tmp_path / "count").read_text() == "60"


def test_a_note_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / ".lmcli").write_text("a file where a folder should be")
    with busy.writing(tmp_path), pytest.raises(BusyError, match="another process"), busy.writing(tmp_path):
        pass


def test_a_file_system_without_locks_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with pytest.raises(MachineError, match="has no file locks") as caught, busy.writing(tmp_path):
        pass
    assert caught.value.hint == "move the project to a local disk"
