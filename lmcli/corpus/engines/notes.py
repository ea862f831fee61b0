"""What a task leaves for the command that waits for it: that it is at work, and why it failed.

Pools of processes wait for ever for a worker that was killed, and executors pass on an error in a form of their own or
not at all. So each task keeps a file with the name of its process while it works, and writes another when it fails.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lmcli import errors
from lmcli.errors import LmcliError, MachineError, from_os_error
from lmcli.project import durable

BEAT = 10.0  # seconds between two signs of life
SILENCE = 300.0  # seconds without one after which a process on another machine counts as dead

_RUNNING = ".running"
_FAILED = ".failed"


@contextlib.contextmanager
def reported(folder: Path, rank: int, what: str) -> Iterator[None]:
    """Around the work of a task; an error is written down and raised again."""
    durable.mkdir(folder)
    running, failed = folder / f"{rank:05d}{_RUNNING}", folder / f"{rank:05d}{_FAILED}"
    failed.unlink(missing_ok=True)  # of an earlier attempt at the same task
    durable.write(running, json.dumps({"what": what, "home": _home(), "pid": os.getpid()}))
    stop = threading.Event()
    beat = threading.Thread(target=_beat, args=(running, stop), daemon=True)
    beat.start()
    try:
        yield
    except Exception as error:
        durable.write(failed, json.dumps(_described(error, what)))
        raise
    finally:
        stop.set()
        beat.join()
        running.unlink(missing_ok=True)


def _beat(path: Path, stop: threading.Event) -> None:
    while not stop.wait(BEAT):
        with contextlib.suppress(OSError):
            os.utime(path)


def _home() -> str:
    """Where a process number means something: this start of this machine, and the container in it."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return socket.gethostname()


def _described(error: Exception, what: str) -> dict[str, Any]:
    if isinstance(error, OSError):
        error = from_os_error(error)
    if isinstance(error, MemoryError):
        error = MachineError(f"{what}: out of memory", "use fewer workers, or more tasks")
    if isinstance(error, LmcliError):
        return {"error": type(error).__name__, "message": error.message, "hint": error.hint}
    text = "".join(traceback.format_exception(error))
    return {"error": "", "message": f"{what}: {type(error).__name__}: {error}", "traceback": text}


def failure(folder: Path) -> LmcliError | None:
    """Why the first of the failed tasks failed."""
    for path in sorted(folder.glob(f"*{_FAILED}")):
        found = json.loads(path.read_bytes())
        if kind := found["error"]:
            error: LmcliError = getattr(errors, kind, LmcliError)(found["message"], found["hint"])
            return error
        return LmcliError(found["message"], f"this is a bug in lmcli: please report it with {path}")
    return None


class Watch:
    """Looks after the tasks that left their notes in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[Path, tuple[float, float]] = {}  # the last sign of life, and when it was noticed here

    def dead(self) -> MachineError | None:
        """An error that names a task whose process is gone without having said so."""
        for path in sorted(self._folder.glob(f"*{_RUNNING}")):
            with contextlib.suppress(FileNotFoundError):  # it has ended meanwhile
                note, beat = json.loads(path.read_bytes()), path.stat().st_mtime
                if not self._lives(path, note, beat) and path.exists():
                    hint = "if memory ran out, use fewer workers or more tasks; what is finished stays"
                    return MachineError(f"{note['what']}: its process ({note['pid']}) was killed", hint)
        return None

    def _lives(self, path: Path, note: dict[str, Any], beat: float) -> bool:
        if note["home"] == _home():
            return _runs(note["pid"])
        now = time.monotonic()  # clocks of machines differ, so what counts is whether the time changes
        before, noticed = self._seen.setdefault(path, (beat, now))
        if beat != before:
            self._seen[path] = (beat, now)
            return True
        return now - noticed < SILENCE


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
