"""Checkpoints of a sharded run: rank 0 decides and commits, each process writes and reads its own part."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lmcli.models.weights import read_header
from lmcli.project import durable
from lmcli.training import shard_files
from lmcli.training.checkpoints import (
    MODEL,
    OPTIMIZER,
    Checkpoints,
    each_tensor,
    forget,
    reads_otherwise,
    shards_of,
)
from lmcli.training.heard import HeardCheckpoints
from lmcli.training.optimizers.optimizer import Described, Optimizer, places
from lmcli.training.parts import fill_part
from lmcli.training.state import State
from lmcli.training.world import CommonError, World

Tensors = Mapping[str, Tensor]


class ShardedCheckpoints(HeardCheckpoints):
    """The checkpoints of the run in `directory`; every method is called by all processes alike.

    What `Checkpoints` writes into a file is a folder of that name here, so that a run may go on with any number of
    processes, sharded or not.
    """

    def __init__(self, world: World, directory: Path, own: Checkpoints | None) -> None:
        super().__init__(world, own)
        self._home = directory / "checkpoints"

    def restore(self, model: nn.Module, optimizer: Optimizer) -> None:
        """Each process reads its own part, after rank 0 has compared all files with their digests."""
        if self._own:
            self._own.check_last()
        directory = self._home / self._world.first(self.last.name if self.last else "")
        self._fill(directory / MODEL, dict(model.named_parameters()))
        memory = places(optimizer.blank(), _described(directory / OPTIMIZER))
        self._fill(directory / OPTIMIZER, memory)
        optimizer.load(memory)

    def _fill(self, path: Path, targets: dict[str, Any]) -> None:
        if shards_of(path).is_dir():
            shard_files.load(shards_of(path), targets)
            return
        for name, tensor in each_tensor(path):
            fill_part(targets[name], tensor)

    def save(self, state: State, model: Tensors, optimizer: Tensors, best: Tensors | None, **options: Any) -> None:
        """As Checkpoints.save, which rank 0 calls; what that would write into a file, all processes write together."""
        contents = {"model": model, "optimizer": optimizer, "best": best}
        if self._own:

            def write(path: Path, tensors: Tensors) -> None:
                self._lead(path, tensors, contents)

            self._own.save(state, model, optimizer, best, write, **options)
            self._world.first(None)
        else:
            while order := self._world.first(None):
                name, which = order
                tensors = contents[which] or {}
                shard_files.write(self._home / name, tensors)
                self._read_again(self._home / name, tensors)

    def _lead(self, path: Path, tensors: Tensors, contents: Mapping[str, Tensors | None]) -> None:
        folder = shards_of(path)
        durable.mkdir(folder)
        which = next(name for name, known in contents.items() if known is tensors)
        self._world.first([folder.relative_to(self._home).as_posix(), which])
        shard_files.write(folder, tensors)
        shard_files.check(folder, tensors)
        self._read_again(folder, tensors)

    def _read_again(self, folder: Path, tensors: Tensors) -> None:
        """Raises CommonError unless the disk gives back what each of them wrote."""
        for file in sorted(folder.iterdir()):
            forget(file)
        if self._world.highest(int(not shard_files.same(folder, tensors))):
            found = reads_otherwise(folder)
            raise CommonError(found.message, found.hint)

    def load_best(self) -> dict[str, Tensor]:
        assert self._own is not None, "rank 0 alone finishes a run"
        return self._own.load_best()


def _described(path: Path) -> dict[str, Described]:
    """What a file of tensors holds, or the folder that stands for one."""
    if shards_of(path).is_dir():
        return shard_files.described(shards_of(path))
    return {name: (entry.shape, entry.dtype) for name, entry in read_header(path).items()}
