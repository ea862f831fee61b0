"""One writer at a time: an exclusive flock on the project directory, which the kernel drops when its holder dies."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

from lmcli.errors import BusyError, MachineError, from_os_error


@contextlib.contextmanager
def writing(root: Path) -> Iterator[None]:
    """Hold the project for writing. Raises BusyError naming the holder, MachineError where locks don't work.

    The lock is on the directory itself: deleting files inside it, or copying the project, changes nothing.
    """
    descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        _acquire(descriptor, root)
        _introduce(root)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def using(folder: Path) -> Iterator[None]:
    """Say that files below `folder` are being written, by one of any number of processes; `in_use` tells."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):  # without locks nobody is told, and nothing else is lost
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


def in_use(folder: Path) -> bool:
    """Whether a process on this file system is writing below `folder`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _acquire(descriptor: int, root: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BusyError(f"{root} is in use by {_holder(root)}", "wait for it to end, then run this again") from None
    except OSError as error:
        if error.errno in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS):
            raise MachineError(
                f"the file system of {root} has no file locks", "move the project to a local disk"
            ) from None
        raise from_os_error(error) from None


def _introduce(root: Path) -> None:
    """Leave pid and command for the message that a second writer gets; failing to do so is no error."""
    with contextlib.suppress(OSError):
        (root / ".lmcli").mkdir(exist_ok=True)
        note = {"pid": os.getpid(), "command": " ".join(["lmcli", *sys.argv[1:]])}
        (root / ".lmcli" / "writer.json").write_text(json.dumps(note))


def _holder(root: Path) -> str:
    try:
        note = json.loads((root / ".lmcli" / "writer.json").read_bytes())
        return f"process {note['pid']} ({note['command']})"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
