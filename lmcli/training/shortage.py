"""Too little memory: said before training starts where it can be foreseen, and in the same words where it could not."""

from __future__ import annotations

import contextlib
import resource
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from lmcli.config import name_of
from lmcli.errors import MachineError
from lmcli.models.config import ModelConfig
from lmcli.models.device import Compute
from lmcli.models.directory import free_memory
from lmcli.models.families import family_of
from lmcli.models.shape import Shape
from lmcli.training import ladder, memory
from lmcli.training.config import TrainConfig
from lmcli.training.memory import Memory
from lmcli.training.optimizers import OPTIMIZERS
from lmcli.training.saving import in_background
from lmcli.training.world import SOLO, CommonError, World

CGROUP = Path("/sys/fs/cgroup")
OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "bad_alloc")
"""How torch's RuntimeErrors say it on a CPU."""
LEANER = {"background": 'save_in_background = "never"', "recompute": "recompute = true"}
"""Settings that take less memory and are no part of what a run is made from: it goes on with them."""


class ShortageError(MachineError):
    """There is too little memory for what was asked."""


class CommonShortageError(ShortageError, CommonError):
    """All processes of a run find so."""


@dataclass(frozen=True)
class Demand:
    """What each process of a run asks of the memory: a shape, and `micro_rows` rows of it at once out of `rows` in a
    step."""

    shape: Shape
    rows: int
    micro_rows: int
    device: str
    dtype: str
    optimizer: str
    recompute: bool = False
    averaged: bool = False
    """A moving average of the weights is kept."""
    background: bool = False
    """Checkpoints are written in the background, from a copy in the memory of the machine."""
    world: World = SOLO

    @property
    def memory(self) -> Memory:
        return memory.estimated(
            self.shape,
            micro_rows=self.micro_rows,
            accumulates=self.micro_rows < self.rows,
            dtype=self.dtype,
            optimizer=self.optimizer,
            recompute=self.recompute,
            averaged=self.averaged,
            copies=self.background and torch.device(self.device).type == "cpu",
            parts=self.world.size if self.world.is_sharded else 1,
        )

    def free(self) -> int:
        """Bytes for a process of the run, on the machine that has least; called by all of them alike."""
        return -self.world.highest(-free_bytes(self.device, self.world.local_size))

    def check(self, begun: bool = False, free: int | None = None) -> None:
        """Raises CommonShortageError when this is more than what is free, or than `free` bytes, with what would fit.

        A run that has `begun` is to go on if it can.
        """
        free = self.free() if free is None else free
        if self.memory.total > free:
            own = " for it" if self.world.size > 1 else ""
            message = f"{self._needs()} and {free / 2**30:.2f} GiB are free{own}"
            raise CommonShortageError(message, self.advice(free, begun))

    @contextlib.contextmanager
    def guarded(self, begun: Callable[[], bool] = lambda: False) -> Iterator[None]:
        """Inside the block, what torch says when memory runs out becomes a ShortageError.

        `begun` tells whether there is a checkpoint by then.
        """
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not is_shortage(error):
                raise
            free = free_bytes(self.device, self.world.local_size) + held_bytes(self.device)
            hint = self.advice(min(free, self.memory.total), begun())
            kept = "; the last checkpoint is as it was" if begun() else ""
            raise ShortageError(f"out of memory: {self._needs()}", f"{hint}{kept}") from error

    def _needs(self) -> str:
        who = "training" if self.world.size == 1 else f"each of {self.world.size} processes"
        return f"{who} needs about {self.memory.total / 2**30:.2f} GiB of memory"

    def advice(self, free: int, begun: bool = False) -> str:
        """What to do where only `free` bytes are; what keeps the run comes first where it has `begun`."""
        close = "close other programs"
        leaner, fewer = self._leaner(free), self._fewer_rows(free)
        if leaner and (begun or not fewer or leaner == LEANER["background"]):
            return f"{close}, or set {leaner}: the same weights come out"
        if fewer:
            anew = ", which begins the run anew" if begun else ": the same batch in more parts"
            return f"{close}, or set {fewer}{anew}"
        smaller = self._smaller_shape(free)
        if smaller:
            return f"{close}, or take a smaller model: {smaller.depth} blocks of width {smaller.width} would fit"
        return f"{close}, or take a shorter context or a smaller vocabulary"

    def _fits(self, free: int, **changes: Any) -> bool:
        """Whether less is needed with these changes, and that fits."""
        total = replace(self, **changes).memory.total
        return total <= free and total < self.memory.total

    def _leaner(self, free: int) -> str:
        """The fewest settings of LEANER with which it fits."""
        behind = {"background": False} if self.background else {}
        again = {} if self.recompute else {"recompute": True}
        for changes in (behind, again, {**behind, **again}):
            if self._fits(free, **changes):
                return " and ".join(LEANER[name] for name in changes)
        return ""

    def _fewer_rows(self, free: int) -> str:
        """The largest micro-batch below this one with which it fits, without copies where those are too much."""
        for background in (self.background, False):
            rows = self._most_rows(free, background)
            if rows:
                never = "" if background == self.background else f" and {LEANER['background']}"
                return f"micro_batch to {rows}{never}"
        return ""

    def _most_rows(self, free: int, background: bool) -> int:
        """0 where not even one row fits."""
        for rows in range(1, self.micro_rows):
            if not self._fits(free, micro_rows=rows, background=background):
                return rows - 1
        return self.micro_rows - 1

    def _smaller_shape(self, free: int) -> Shape | None:
        """The largest shape of the ladder that fits, with as many rows at once."""
        for rung in reversed(ladder.LADDER):
            shape = replace(
                self.shape,
                width=rung.width,
                depth=rung.depth,
                heads=ladder.heads_for(rung.width),
                kv_heads=ladder.heads_for(rung.width),
                head_dim=rung.width // ladder.heads_for(rung.width),
                ffn=ladder.ffn_for(rung.width, self.shape.ffn_ratio),
            )
            if self._fits(free, shape=shape):
                return shape
        return None


def demand(
    model: ModelConfig,
    vocab_size: int,
    rows: int,
    micro_rows: int,
    config: TrainConfig,
    compute: Compute,
    world: World = SOLO,
) -> Demand:
    """The demand of a resolved model; with copies for the background where those are wanted, or pay and fit.

    All processes of a `world` call this alike, and get the same.
    """
    shape = family_of(model).shape_of(model, vocab_size)
    try:
        optimizer = name_of(OPTIMIZERS, config.optimizer)
    except StopIteration:  # one that is not in the registry
        optimizer = ""
    extras = {"recompute": config.recompute, "averaged": bool(config.ema)}
    found = Demand(shape, rows, micro_rows, compute.device, compute.dtype, optimizer, **extras, world=world)
    wanted = world.first(in_background(config.save_in_background, compute))  # rank 0 is the one that writes
    behind = replace(found, background=wanted and not world.is_sharded)
    scarce = behind.memory.total > found.free() and config.save_in_background == "auto"
    return found if scarce else behind


def is_shortage(error: BaseException) -> bool:
    """Whether an exception says that there is no memory left, on whatever device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in OUT_OF_MEMORY)


def free_bytes(device: str, processes: int = 1) -> int:
    """Bytes that this process can still get on a device: the least of what the machine and its limits leave.

    So many `processes` share a machine, and have an accelerator each.
    """
    if torch.device(device).type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return min(min(free_memory(), _left_of_group()) // processes, _left_of_address_space())


def held_bytes(device: str) -> int:
    """Bytes of a device's memory that this process has, and that its next start will find free."""
    if torch.device(device).type == "cuda":
        return int(torch.cuda.memory_reserved(device))
    return _pages(1) * resource.getpagesize() if sys.platform == "linux" else 0


def _left_of_address_space() -> int:
    """RLIMIT_AS (ulimit -v) less what is mapped."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return 2**63
    return max(0, limit - _pages(0) * resource.getpagesize())


def _pages(place: int) -> int:
    """Of this process: 0 those that are mapped, 1 those that are in memory."""
    return int(Path("/proc/self/statm").read_text().split()[place])


def _left_of_group() -> int:
    """What the limit of a container leaves (control groups, version 2); cached files are given up when needed."""
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
        used = int((CGROUP / "memory.current").read_text())
        statistics = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return 2**63
    return 2**63 if limit == "max" else max(0, int(limit) - used + int(statistics.get("inactive_file", 0)))
