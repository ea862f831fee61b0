"""Tensors in files: the safetensors format, streamed, with limits on what a damaged or hostile file can cost.

A file is the length of the header (8 bytes, little endian), the header (JSON: name -> dtype, shape, data_offsets), and
the bytes of the tensors without gaps. https://github.com/huggingface/safetensors describes it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch import Tensor

from lmcli.errors import ArtifactError
from lmcli.project import durable

MAX_HEADER_BYTES = 8 << 20
MAX_TENSORS = 20_000

_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


@dataclass(frozen=True, slots=True)
class Entry:
    """Where a tensor lies: `start` and `end` count bytes from the start of the file."""

    name: str
    dtype: torch.dtype
    shape: tuple[int, ...]
    start: int
    end: int


def write_tensors(path: Path, tensors: Mapping[str, Tensor], dtype: torch.dtype | None = None) -> str:
    """Write a safetensors file, durably, one tensor after the other; `dtype` converts floating-point tensors.

    Returns the SHA-256 of what the file is to hold.
    """
    order = sorted(tensors, key=lambda name: (-_stored(tensors[name], dtype).itemsize, name))
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    start = 0
    for name in order:
        stored = _stored(tensors[name], dtype)
        end = start + tensors[name].numel() * stored.itemsize
        header[name] = {"dtype": _NAMES[stored], "shape": list(tensors[name].shape), "data_offsets": [start, end]}
        start = end
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)  # the data start at a multiple of 8, so that they can be mapped
    temporary = durable.temporary_name(path)
    try:
        with durable.create(temporary) as file:
            digest = hashlib.sha256()
            for part in _parts(encoded, (tensors[name] for name in order), dtype):
                digest.update(part)
                file.write(part)
        durable.replace(temporary, path)
        return digest.hexdigest()
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _parts(header: bytes, tensors: Iterable[Tensor], dtype: torch.dtype | None) -> Iterator[bytes | memoryview]:
    yield len(header).to_bytes(8, "little") + header
    for tensor in tensors:
        yield _bytes(tensor.detach().to("cpu", _stored(tensor, dtype)))


def _stored(tensor: Tensor, dtype: torch.dtype | None) -> torch.dtype:
    return dtype if dtype is not None and tensor.is_floating_point() else tensor.dtype


def _bytes(tensor: Tensor) -> memoryview:
    return tensor.contiguous().flatten().view(torch.uint8).numpy().data


def read_header(path: Path) -> dict[str, Entry]:
    """The tensors that a file holds, by name, after checking that they fill it exactly.

    Reads the header only. Raises ArtifactError for a missing file and for anything but sound safetensors.
    """
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            header_end, header = _read_json(file, size)
        entries = [_entry(name, item, header_end) for name, item in header.items() if name != "__metadata__"]
    except _DamageError as damage:
        raise ArtifactError(f"{path} is damaged: {damage}", "make or copy it again") from None
    except (FileNotFoundError, IsADirectoryError):
        raise ArtifactError(f"{path} is missing", "make or copy it again") from None
    _check_layout(path, entries, header_end, size)
    return {entry.name: entry for entry in entries}


class _DamageError(Exception):
    """What is wrong with a header."""


def _read_json(file: BinaryIO, size: int) -> tuple[int, dict[str, Any]]:
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        raise _DamageError("it ends before its header does")
    if length > MAX_HEADER_BYTES:
        raise _DamageError(f"its header claims {length} bytes (at most {MAX_HEADER_BYTES})")
    try:
        header = json.loads(file.read(length).decode())
    except (ValueError, RecursionError):
        raise _DamageError("its header is no JSON") from None
    if not isinstance(header, dict):
        raise _DamageError("its header is no JSON object")
    if len(header) > MAX_TENSORS:
        raise _DamageError(f"its header names {len(header)} tensors (at most {MAX_TENSORS})")
    return 8 + length, header


def _entry(name: str, item: Any, header_end: int) -> Entry:
    if not isinstance(item, dict) or set(item) != {"dtype", "shape", "data_offsets"}:
        raise _DamageError(f"the header entry of {name!r} is malformed")
    shape, offsets = item["shape"], item["data_offsets"]
    if not _sizes(shape) or not _sizes(offsets) or len(offsets) != 2:
        raise _DamageError(f"the header entry of {name!r} is malformed")
    dtype = _DTYPES.get(item["dtype"]) if isinstance(item["dtype"], str) else None
    if dtype is None:
        raise _DamageError(f"{name!r} has the unknown dtype {item['dtype']!r}")
    if offsets[1] - offsets[0] != math.prod(shape) * dtype.itemsize:
        raise _DamageError(f"{name!r} of shape {shape} doesn't fill its {offsets[1] - offsets[0]} bytes")
    return Entry(name, dtype, tuple(shape), header_end + offsets[0], header_end + offsets[1])


def _sizes(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= 8 and all(type(n) is int and 0 <= n < 1 << 48 for n in value)


def _check_layout(path: Path, entries: Iterable[Entry], header_end: int, size: int) -> None:
    position = header_end
    for entry in sorted(entries, key=lambda entry: (entry.start, entry.end)):
        if entry.start != position:
            raise ArtifactError(f"{path} is damaged: {entry.name!r} overlaps or leaves a gap", "make or copy it again")
        position = entry.end
    if position != size:
        what = "it is cut off" if position > size else "bytes follow its last tensor"
        raise ArtifactError(f"{path} is damaged: {what}", "make or copy it again")


def read_tensor(path: Path, entry: Entry) -> Tensor:
    """One tensor of a file whose header `read_header` has checked."""
    data = torch.empty(entry.end - entry.start, dtype=torch.uint8)
    with path.open("rb") as file:
        file.seek(entry.start)
        if file.readinto(data.numpy().data) != len(data):
            raise ArtifactError(f"{path} is damaged: it is cut off", "make or copy it again")
    return data.view(entry.dtype).reshape(entry.shape)
