"""Files as streams of bytes, unpacked on the way; memory doesn't depend on what a file claims to hold."""

from __future__ import annotations

import bz2
import contextlib
import errno
import gzip
import lzma
import os
import stat
import zlib
from collections.abc import Callable, Iterator
from io import BufferedReader, RawIOBase
from pathlib import Path
from typing import Any, BinaryIO

import zstandard

from lmcli.errors import InputError

CHUNK = 1 << 20  # bytes

# Text rarely grows 20-fold, zeros grow 1,000-fold. Small files may do as they like.
BOMB_RATIO = 400
BOMB_FLOOR = 256 << 20  # bytes

SUFFIXES = (".gz", ".zst", ".xz", ".bz2")

Advance = Callable[[float], None]

_UNREADABLE = {errno.ENOENT, errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENOTDIR, errno.ENXIO, errno.ENAMETOOLONG}


def chunks(path: Path, advance: Advance = lambda amount: None, *, packing: str | None = None) -> Iterator[bytes]:
    """The unpacked bytes of a file, about a megabyte at a time; `advance` is told of each byte read from the disk.

    `packing` is one of SUFFIXES where the name of the file doesn't end in it.

    Raises InputError, naming the path, for what is no regular file, can't be read, is damaged, cut short, grows beyond
    all measure, or changes while it is read.
    """
    suffix = packing or path.suffix.lower()
    return _unpacked_chunks(path, suffix, advance) if suffix in SUFFIXES else _plain_chunks(path, advance)


def _plain_chunks(path: Path, advance: Advance) -> Iterator[bytes]:
    """A file as it is. A corpus may be a hundred thousand tiny files, so there are no more system calls than needed."""
    descriptor, before = _open(path)
    try:
        left = before.st_size
        while chunk := os.read(descriptor, min(CHUNK, max(left, 1))):
            left -= len(chunk)
            advance(len(chunk))
            yield chunk
            if not left:
                break
        _refuse_changed(path, before, os.fstat(descriptor))
    finally:
        os.close(descriptor)


def _unpacked_chunks(path: Path, suffix: str, advance: Advance) -> Iterator[bytes]:
    with open_unchanged(path) as file:
        counting = _Counting(file, advance)
        try:
            yield from _refuse_bomb(_unpacked(counting, suffix), counting, path)
        except EOFError:
            hint = "it was not copied or downloaded completely: get it again"
            raise InputError(f"{path} is cut short", hint) from None
        except (gzip.BadGzipFile, zlib.error, lzma.LZMAError, zstandard.ZstdError) as error:
            raise _damaged(path, error) from None
        except OSError as error:  # bz2 has no type of its own
            if error.errno:
                raise
            raise _damaged(path, error) from None


@contextlib.contextmanager
def open_unchanged(path: Path) -> Iterator[BinaryIO]:
    """The file opened for reading; an InputError when the block has ended and the file is no longer what it was.

    A pipe, socket or device is an InputError too, and never waited for.
    """
    descriptor, before = _open(path)
    with os.fdopen(descriptor, "rb") as file:
        yield file
        _refuse_changed(path, before, os.fstat(descriptor))


def _open(path: Path) -> tuple[int, os.stat_result]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        if error.errno not in _UNREADABLE:
            raise
        raise InputError(f"can't read {path}: {error.strerror}") from None
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        os.close(descriptor)
        raise InputError(f"can't read {path}: it is no regular file")
    return descriptor, status


def _refuse_changed(path: Path, before: os.stat_result, after: os.stat_result) -> None:
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise InputError(f"{path} changed while it was read", "run the command again when nothing writes to it")


def _damaged(path: Path, error: Exception) -> InputError:
    return InputError(f"{path} can't be unpacked: {error}", "the file is damaged, or its suffix is wrong")


class _Counting(RawIOBase):
    """A file that counts the bytes read from it."""

    def __init__(self, file: BinaryIO, advance: Advance) -> None:
        self._file = file
        self._advance = advance
        self.taken = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self._file.readinto(buffer)  # type: ignore[attr-defined]
        self.taken += count
        self._advance(count)
        return count


def _refuse_bomb(stream: Any, packed: _Counting, path: Path) -> Iterator[bytes]:
    unpacked = 0
    while chunk := stream.read(CHUNK):
        unpacked += len(chunk)
        if unpacked > BOMB_FLOOR and unpacked > BOMB_RATIO * packed.taken:
            size = f"{unpacked >> 20} MiB and more from {packed.taken >> 10} KiB"
            raise InputError(f"{path} unpacks to an unreasonable size: {size}", "unpack it yourself if you trust it")
        yield chunk


def _unpacked(file: _Counting, suffix: str) -> Any:
    if suffix == ".gz":
        return gzip.GzipFile(fileobj=file, mode="rb")
    if suffix == ".bz2":
        return bz2.BZ2File(file)
    if suffix == ".xz":
        return lzma.LZMAFile(file)  # type: ignore[arg-type]
    return _Zstandard(BufferedReader(file, CHUNK))


class _Zstandard:
    """A zstd file, frame after frame. (The library's own stream takes a truncated file for a complete one.)"""

    # A block of 128 KiB can hide in four bytes, so a step of 1 KiB unpacks to 32 MiB at most.
    STEP = 1 << 10

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._inside = False
        self._ready = bytearray()

    def read(self, size: int) -> bytes:
        while len(self._ready) < size and (step := self._file.read(self.STEP)):
            self._feed(step)
        if self._inside and not self._ready:
            raise EOFError
        data = bytes(self._ready[:size])
        del self._ready[:size]
        return data

    def _feed(self, step: bytes) -> None:
        while step:
            self._inside = True
            self._ready += self._frame.decompress(step)
            if not self._frame.eof:
                return
            step = self._frame.unused_data
            self._frame = zstandard.ZstdDecompressor().decompressobj()
            self._inside = False
