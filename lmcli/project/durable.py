"""The only module through which artifacts, run state and the manifest reach the disk.

Each function is one operation that survives a crash once it has returned: data are synced before a name points to them,
and the directory is synced after a name has changed. `on_operation` is called before each operation, so that a test can
make the K-th one fail or kill the process there.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

on_operation: Callable[[str, Path], None] | None = None

TEMPORARY = ".tmp-"


def _about_to(operation: str, path: Path) -> None:
    if on_operation is not None:
        on_operation(operation, path)


def temporary_name(path: Path) -> Path:
    """A name beside `path` (same file system, so that a rename is atomic) that nothing else uses."""
    return path.with_name(f"{TEMPORARY}{path.name}-{secrets.token_hex(4)}")


def write(path: Path, data: bytes | str) -> None:
    """Put `data` at `path`: afterwards the file has either its old content or the whole new one."""
    temporary = temporary_name(path)
    try:
        with create(temporary) as file:
            file.write(data.encode() if isinstance(data, str) else data)
        replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def create(path: Path) -> Iterator[BinaryIO]:
    """A new binary file to write into; its content is on the disk when the block ends."""
    _about_to("create", path)
    with path.open("xb") as file:
        yield file
        _about_to("fsync", path)
        file.flush()
        os.fsync(file.fileno())


def fsync_file(path: Path) -> None:
    """Put a file that a library has written on the disk."""
    _about_to("fsync", path)
    with path.open("rb") as file:
        os.fsync(file.fileno())


def append(path: Path, data: bytes, *, sync: bool) -> None:
    """Add whole lines to a log, all or nothing as far as this process lives; `sync` waits for the disk."""
    _about_to("append", path)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    try:
        end = os.lseek(descriptor, 0, os.SEEK_END)
        try:
            written = os.write(descriptor, data)
            if written < len(data):  # a full disk takes a part and says nothing; asked again, it says why
                os.write(descriptor, data[written:])
        except OSError:
            os.ftruncate(descriptor, end)
            raise
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replace(source: Path, target: Path) -> None:
    """Give `source` the name `target`, atomically, also where `target` is a file that exists."""
    _about_to("replace", target)
    source.replace(target)
    fsync_directory(target.parent)


def fsync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    _about_to("fsync_directory", path)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_tree(path: Path) -> None:
    """Make the names in a directory and in all below it durable (its files were synced when they were written)."""
    for folder, _, _ in os.walk(path, topdown=False):
        fsync_directory(Path(folder))


def mkdir(path: Path) -> None:
    """Create a directory and its parents, durably; it may exist already."""
    if not path.is_dir():
        mkdir(path.parent)
        _about_to("mkdir", path)
        path.mkdir(exist_ok=True)
        fsync_directory(path.parent)


def unlink(path: Path) -> None:
    """Remove a file; it may be gone already."""
    _about_to("unlink", path)
    path.unlink(missing_ok=True)


def remove_tree(path: Path) -> None:
    """Remove a directory with all in it, under another name first, so that no half of it keeps the old name."""
    if not path.exists():
        return
    _about_to("remove_tree", path)
    doomed = path if path.name.startswith(TEMPORARY) else temporary_name(path)
    if doomed != path:
        path.replace(doomed)
    shutil.rmtree(doomed)
