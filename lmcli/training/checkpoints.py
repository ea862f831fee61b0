"""Checkpoints of a run: directories that are never reused, and one file that names those that count.

    checkpoints.json                      the commit point: {format, last, best, stable, earlier}, replaced atomically
    checkpoints/step-00000100-1a2b3c4d/   model.safetensors, optimizer.safetensors, state.json; in a sharded run
                                          folders model/ and optimizer/ with the parts that each process wrote

A directory that checkpoints.json doesn't name is the rest of a crash and gets removed.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from lmcli.errors import ArtifactError, MachineError
from lmcli.models.weights import read_header, read_tensor, write_tensors
from lmcli.project import durable
from lmcli.training.optimizers.optimizer import Optimizer
from lmcli.training.state import State

FORMAT = 1
MODEL, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"
HINT = "train anew with --force, or put the file back"

Tensors = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One named directory; `digests` are the SHA-256 of its files."""

    name: str
    step: int
    digests: Mapping[str, str]

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "step": self.step, "digests": dict(self.digests)}


class Checkpoints:
    """The checkpoints of the run in `directory`: `last` to go on from, `best` to keep, `stable` to make the run longer.

    `stable` is the one before the cooldown; None before it is reached and for schedules without one. `earlier` are
    those that were the last before, the latest first.
    """

    def __init__(self, directory: Path) -> None:
        self.pointer = directory / "checkpoints.json"
        self.home = directory / "checkpoints"
        self.last: Checkpoint | None = None
        self.best: Checkpoint | None = None
        self.stable: Checkpoint | None = None
        self.earlier: tuple[Checkpoint, ...] = ()
        self._read_pointer()

    def _read_pointer(self) -> None:
        if not self.pointer.exists():
            return
        try:
            values = json.loads(self.pointer.read_bytes())
            if values["format"] != FORMAT:
                raise ArtifactError(f"{self.pointer} has format {values['format']}", "use the lmcli that wrote it")
            self.last = Checkpoint(**values["last"])
            self.best = Checkpoint(**values["best"]) if values["best"] else None
            self.stable = Checkpoint(**values["stable"]) if values.get("stable") else None
            self.earlier = tuple(Checkpoint(**item) for item in values.get("earlier", ()))
        except (ValueError, KeyError, TypeError):
            raise ArtifactError(f"{self.pointer} is damaged", HINT) from None

    def save(
        self,
        state: State,
        model: Tensors,
        optimizer: Tensors,
        best: Tensors | None,
        write: Callable[[Path, Tensors], str | None] = write_tensors,
        *,
        stable: bool = False,
        keep: int = 1,
        averaged: bool = False,
    ) -> None:
        """Commit a new last checkpoint, and the weights of `state.best` when `best` holds them; then drop old ones.

        When the best step is the last one, its weights are stored once, unless `best` are `averaged` ones. `write`
        stores tensors at a path, durably, and gives the digest of a file. `stable` keeps this checkpoint under that
        name; of those that were the last, the `keep` latest are kept. Files are read again before they count, so that
        nothing is dropped for what can't be read: MachineError when they differ.
        """
        durable.mkdir(self.home)
        last = self._write(state.step, {MODEL: model, OPTIMIZER: optimizer}, state, write)
        kept = self.best
        if best is not None and state.best is not None:
            same = state.best.step == state.step and not averaged
            kept = last if same else self._write(state.best.step, {MODEL: best}, None, write)
        durable.fsync_directory(self.home)
        before = [item for item in (self.last, *self.earlier) if item]
        self._commit(last, kept, last if stable else self.stable, before[: keep - 1])

    def rewind(self) -> None:
        """Go back to the stable checkpoint: what was trained after it is dropped, the best weights so far too."""
        assert self.stable is not None
        self._commit(self.stable, None, self.stable)

    def _commit(
        self,
        last: Checkpoint,
        best: Checkpoint | None,
        stable: Checkpoint | None,
        earlier: Sequence[Checkpoint] = (),
    ) -> None:
        named = {"last": last, "best": best, "stable": stable}
        values: dict[str, Any] = {name: item.to_json() if item else None for name, item in named.items()}
        values |= {"format": FORMAT, "earlier": [item.to_json() for item in earlier]}
        durable.write(self.pointer, json.dumps(values, indent=2, sort_keys=True) + "\n")
        self.last, self.best, self.stable, self.earlier = last, best, stable, tuple(earlier)
        self.remove_garbage()

    def _write(
        self,
        step: int,
        files: Mapping[str, Tensors],
        state: State | None,
        write: Callable[[Path, Tensors], str | None],
    ) -> Checkpoint:
        directory = self.home / f"step-{step:08d}-{secrets.token_hex(4)}"
        durable.mkdir(directory)
        found = {name: write(directory / name, tensors) for name, tensors in files.items()}
        digests = {name: digest for name, digest in found.items() if digest is not None}
        if state is not None:
            text = json.dumps(state.to_json(), indent=2) + "\n"
            durable.write(directory / STATE, text)
            digests[STATE] = hashlib.sha256(text.encode()).hexdigest()
        for name, digest in digests.items():
            _read_again(directory / name, digest)
        parts = {
            file.relative_to(directory).as_posix(): file for file in sorted(directory.rglob("*")) if file.is_file()
        }
        digests |= {name: _digest(file) for name, file in parts.items() if name not in digests}
        return Checkpoint(directory.name, step, digests)

    def remove_garbage(self) -> None:
        """Remove every directory that the pointer doesn't name."""
        named = {checkpoint.name for checkpoint in (self.last, self.best, self.stable, *self.earlier) if checkpoint}
        for directory in sorted(self.home.iterdir()) if self.home.is_dir() else ():
            if directory.name not in named:
                durable.remove_tree(directory)

    def state(self) -> State | None:
        """Where the last checkpoint stands; None before the first. Raises ArtifactError when it is damaged."""
        return State.from_json(json.loads(self._checked(self.last, STATE).read_bytes())) if self.last else None

    def stable_state(self) -> State:
        """Where the checkpoint before the cooldown stands. Raises ArtifactError when it is damaged."""
        return State.from_json(json.loads(self._checked(self.stable, STATE).read_bytes()))

    def restore(self, model: nn.Module, optimizer: Optimizer) -> None:
        """Go on from the last checkpoint. Raises ArtifactError naming the file that is damaged."""
        weights, memory = self.load_last()
        fill(model, weights)
        optimizer.load(memory)

    def check_last(self) -> None:
        """Compare the last checkpoint's files with their digests. Raises ArtifactError naming the first wrong one."""
        assert self.last is not None
        for name in self.last.digests:
            self._checked(self.last, name)

    def load_last(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Weights and optimizer state to go on from. Raises ArtifactError naming the file that is damaged."""
        assert self.last is not None
        return self._tensors(self.last, MODEL), self._tensors(self.last, OPTIMIZER)

    def load_best(self) -> dict[str, Tensor]:
        """The weights with the best validation loss. Raises ArtifactError naming the file that is damaged."""
        assert self.best is not None
        return self._tensors(self.best, MODEL)

    def _tensors(self, checkpoint: Checkpoint, name: str) -> dict[str, Tensor]:
        folder = shards_of(self.home / checkpoint.name / name)
        shards = [file for file in checkpoint.digests if file.startswith(f"{folder.name}/")]
        if not shards:
            return dict(each_tensor(self._checked(checkpoint, name)))
        from lmcli.training import shard_files  # a second of imports

        for file in shards:
            read_header(self._checked(checkpoint, file))
        return shard_files.read(folder)

    def _checked(self, checkpoint: Checkpoint | None, name: str) -> Path:
        assert checkpoint is not None
        path = self.home / checkpoint.name / name
        if not path.is_file():
            raise ArtifactError(f"{path} is missing", HINT)
        if _digest(path) != checkpoint.digests.get(name):
            raise ArtifactError(f"{path} is damaged: its content is not what was saved", HINT)
        return path


def fill(model: nn.Module, saved: Tensors) -> None:
    """Copy saved weights over those of the model."""
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(saved[name])


def shards_of(path: Path) -> Path:
    """The folder that stands for a file of tensors where each process wrote its own part."""
    return path.with_suffix("")


def each_tensor(path: Path) -> Iterator[tuple[str, Tensor]]:
    """The tensors of a file, one after the other."""
    for name, entry in read_header(path).items():
        yield name, read_tensor(path, entry)


def check_space(directory: Path, needed: int) -> None:
    """Raises MachineError when the disk can't take `needed` bytes, before any work is done."""
    free = shutil.disk_usage(directory).free
    if needed > free:
        message = f"the checkpoints of this run need {needed / 2**20:.0f} MiB and {free / 2**20:.0f} MiB are free"
        raise MachineError(f"{message} in {directory}", "free some space, or train a smaller model")


def _read_again(path: Path, digest: str) -> None:
    """Raises MachineError unless the disk gives back what was written; what the system holds in memory is let go."""
    forget(path)
    if _digest(path) != digest:
        raise reads_otherwise(path)


def forget(path: Path) -> None:
    """Have the system let go what it holds in memory of a file that is on the disk already."""
    with path.open("rb") as file:
        if hasattr(os, "posix_fadvise"):
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def reads_otherwise(path: Path) -> MachineError:
    """What is said when the disk gives back something else than it was given."""
    message = f"{path} reads back otherwise than it was written; the checkpoint before is kept"
    return MachineError(message, "check the disk, then run the same command again")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
