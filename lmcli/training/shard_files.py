"""Tensors in a folder to which every process adds its own part, with torch.distributed.checkpoint.

The files are safetensors with the place of each part in their header (`HuggingFaceStorageWriter`; the default format
of torch.distributed.checkpoint holds a pickle). Any number of processes can read them again. All must see one file
system.
"""

from __future__ import annotations

import contextlib
import math
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor
from torch.distributed.checkpoint import state_dict_loader, state_dict_saver
from torch.distributed.checkpoint.api import CheckpointException
from torch.distributed.checkpoint.hf_storage import HuggingFaceStorageReader, HuggingFaceStorageWriter

from lmcli.errors import MachineError, from_os_error
from lmcli.models.weights import read_header
from lmcli.project import durable
from lmcli.training.parts import local
from lmcli.training.world import CommonError

AT_ONCE = 2**26
"""Elements that are read back together: a second copy of all of them might not fit."""


def write(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Write this process's part, durably; called by all processes, which have the same names."""
    with _plain_errors():
        writer = HuggingFaceStorageWriter(str(folder), save_distributed=True)
        state_dict_saver.save(dict(tensors), storage_writer=writer)


@contextlib.contextmanager
def _plain_errors() -> Iterator[None]:
    """torch hands what went wrong at any process to all of them, as something that is no Exception."""
    try:
        yield
    except CheckpointException as failed:
        rank, (cause, _) = min(failed.failures.items())
        known = from_os_error(cause) if isinstance(cause, OSError) else MachineError(str(cause) or repr(cause))
        raise CommonError(f"process {rank} failed at its part of a checkpoint: {known.message}", known.hint) from failed


def check(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """That the files in `folder` are sound and hold all of the tensors; MachineError when parts are not there."""
    durable.fsync_directory(folder)
    found: Counter[str] = Counter()
    for file in sorted(folder.iterdir()):
        for name, entry in read_header(file).items():
            found[name] += math.prod(entry.shape)
    for name, tensor in tensors.items():
        if found[name] != tensor.numel():
            message = f"{folder} lacks parts of {name}: the processes of this run don't see the same files"
            raise MachineError(message, "put the project on a file system that all machines share, or use ddp")


def same(folder: Path, tensors: Mapping[str, Tensor]) -> bool:
    """Whether the files give back this process's part of the tensors, bit for bit; called by all processes."""
    right = True
    for names in _groups(tensors):
        found = {name: torch.empty_like(tensors[name]) for name in names}
        load(folder, found)
        right = right and all(torch.equal(_bits(found[name]), _bits(tensors[name])) for name in names)
    return right


def _groups(tensors: Mapping[str, Tensor]) -> Iterator[list[str]]:
    """The names in turn, cut by the sizes of whole tensors, so that all processes cut alike."""
    group: list[str] = []
    size = 0
    for name, tensor in tensors.items():
        if group and size + tensor.numel() > AT_ONCE:
            yield group
            group, size = [], 0
        group.append(name)
        size += tensor.numel()
    if group:
        yield group


def _bits(tensor: Tensor) -> Tensor:
    return local(tensor.detach()).contiguous().reshape(-1).view(torch.uint8)


def load(folder: Path, targets: Mapping[str, Tensor]) -> None:
    """Overwrite tensors, which may be parts themselves, by what is stored; called by all processes."""
    with _plain_errors():
        state_dict_loader.load(dict(targets), storage_reader=HuggingFaceStorageReader(str(folder)))


def described(folder: Path) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """The shapes of the whole tensors, and their types."""
    known = HuggingFaceStorageReader(str(folder)).read_metadata().state_dict_metadata
    return {name: (tuple(item.size), item.properties.dtype) for name, item in known.items()}  # type: ignore[union-attr]


def read(folder: Path) -> dict[str, Tensor]:
    """The whole tensors, put together by this process alone."""
    reader = HuggingFaceStorageReader(str(folder))
    tensors = {name: torch.empty(shape, dtype=dtype) for name, (shape, dtype) in described(folder).items()}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "torch.distributed is disabled", UserWarning)  # as it is meant here
        state_dict_loader.load(tensors, storage_reader=reader, no_dist=True)
    return tensors
