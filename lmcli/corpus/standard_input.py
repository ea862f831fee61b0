"""Standard input kept as a file of the project, so that what is made from it can be checked and made again."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from lmcli.corpus.compression import CHUNK, SUFFIXES, Advance, chunks
from lmcli.errors import InputError
from lmcli.project import durable

FOLDER = "inputs"

_PACKINGS = {b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst", b"\xfd7zXZ\x00": ".xz", b"BZh": ".bz2"}
_FORMATS = {b"PAR1": ".parquet", b"ARROW1": ".arrow", b"WARC/": ".warc"}


@dataclass(frozen=True)
class Kept:
    """Where standard input lies now, and how many bytes it had."""

    path: Path
    bytes: int


def keep(stream: BinaryIO, root: Path, format: str, advance: Advance = lambda amount: None) -> Kept:
    """Read `stream` to its end and keep it as inputs/stdin-DIGEST.SUFFIX below `root`, durably; memory stays flat.

    The digest is the beginning of the SHA-256, so the same bytes are one file however often they come. The suffix is
    that of `format`, or of what the first bytes look like. Raises InputError when nothing comes.
    """
    temporary = durable.temporary_name(root / "stdin")
    try:
        size, digest = _copy(stream, temporary, advance)
        if not size:
            raise InputError("standard input is empty", "check the command before the pipe")
        path = _place(root / FOLDER, digest, _suffix(temporary, format))
        if not path.exists():
            durable.mkdir(path.parent)
            durable.replace(temporary, path)
        return Kept(path, size)
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def _copy(stream: BinaryIO, path: Path, advance: Advance) -> tuple[int, str]:
    digest = hashlib.sha256()
    size = 0
    with durable.create(path) as file:
        for chunk in _until_end(stream):
            digest.update(chunk)
            file.write(chunk)
            size += len(chunk)
            advance(len(chunk))
    return size, digest.hexdigest()


def _until_end(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK):
        yield chunk


def _place(folder: Path, digest: str, suffix: str) -> Path:
    """The first name that is free or has that content: someone may have edited the file of a shorter one."""
    for digits in (8, 16):
        path = folder / f"stdin-{digest[:digits]}{suffix}"
        if not path.exists() or _digest(path) == digest:
            return path
    return folder / f"stdin-{digest}{suffix}"


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _suffix(path: Path, format: str) -> str:
    head = _head(path)
    packing = next((suffix for magic, suffix in _PACKINGS.items() if head.startswith(magic)), "")
    if format != "auto":
        return f".{format}{packing}"
    if packing:
        head = _unpacked_head(path, packing)
    return f"{_format(head)}{packing}"


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(CHUNK)


def _unpacked_head(path: Path, packing: str) -> bytes:
    assert packing in SUFFIXES
    with contextlib.suppress(InputError):  # a damaged file is an error when it is read, and has a name by then
        return next(chunks(path, packing=packing), b"")
    return b""


def _format(head: bytes) -> str:
    known = next((suffix for magic, suffix in _FORMATS.items() if head.startswith(magic)), None)
    return known or (".jsonl" if _is_object(head.split(b"\n", 1)[0], len(head)) else ".txt")


def _is_object(line: bytes, size: int) -> bool:
    """Whether the first line is a JSON object; one that is longer than what was looked at has to begin like it."""
    if len(line) == size == CHUNK:
        return line.startswith(b'{"')
    try:
        value: Any = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict)
