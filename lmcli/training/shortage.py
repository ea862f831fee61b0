"""Too little memory: said before training starts where it can be foreseen, and in the same words where it could not."""

from __future__ import annotations

import contextlib
import resource
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

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

CGROUP = Path("/sys/fs/cgroup")
OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "bad_alloc")
"""How torch's RuntimeErrors say it on a CPU."""


class ShortageError(MachineError):
    """There is too little memory for what was asked."""


@dataclass(frozen=True)
class Demand:
    """What a run asks of the memory: a shape, and `micro_rows` rows of it at once out of `rows` in a step."""

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
        )

    def check(self, free: int | None = None) -> None:
        """Raises ShortageError when this is more than the `free` bytes, or what is free, with what would fit."""
        free = free_bytes(self.device) if free is None else free
        if self.memory.total > free:
            raise ShortageError(f"{self._needs()} and {free / 2**30:.2f} GiB are free", self.advice(free))

    @contextlib.contextmanager
    def guarded(self) -> Iterator[None]:
        """Inside the block, what torch says when memory runs out becomes a ShortageError."""
        try:
            yield
        except (MemoryError, RuntimeError) as error:
            if not is_shortage(error):
                raise
            free = free_bytes(self.device)
            hint = f"{self.advice(min(free, self.memory.total))}; the last checkpoint is as it was"
            raise ShortageError(f"out of memory: {self._needs()}", hint) from error

    def _needs(self) -> str:
        return f"training needs about {self.memory.total / 2**30:.2f} GiB of memory"

    def advice(self, free: int) -> str:
        """What to do where only `free` bytes are."""
        close = "close other programs"
        rows = memory.largest_micro_batch(
            self.shape,
            free,
            at_most=self.micro_rows,
            dtype=self.dtype,
            optimizer=self.optimizer,
            recompute=self.recompute,
        )
        if rows:
            return f"{close}, or set micro_batch to {rows}: the same batch in more parts"
        smaller = self._smaller_shape(free)
        if smaller:
            return f"{close}, or take a smaller model: {smaller.depth} blocks of width {smaller.width} would fit"
        return f"{close}, or take a shorter context or a smaller vocabulary"

    def _smaller_shape(self, free: int) -> Shape | None:
        """The largest shape of the ladder that fits, one row at a time."""
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
            rows = min(self.micro_rows, self.rows)
            if replace(self, shape=shape, micro_rows=rows).memory.total <= free:
                return shape
        return None


def demand(
    model: ModelConfig, vocab_size: int, rows: int, micro_rows: int, config: TrainConfig, compute: Compute
) -> Demand:
    """The demand of a resolved model; with copies for the background where those are wanted, or pay and fit."""
    shape = family_of(model).shape_of(model, vocab_size)
    try:
        optimizer = name_of(OPTIMIZERS, config.optimizer)
    except StopIteration:  # one that is not in the registry
        optimizer = ""
    extras = {"recompute": config.recompute, "averaged": bool(config.ema)}
    found = Demand(shape, rows, micro_rows, compute.device, compute.dtype, optimizer, **extras)
    behind = replace(found, background=in_background(config.save_in_background, compute))
    scarce = config.save_in_background == "auto" and behind.memory.total > free_bytes(compute.device)
    return found if scarce else behind


def is_shortage(error: BaseException) -> bool:
    """Whether an exception says that there is no memory left, on whatever device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in OUT_OF_MEMORY)


def free_bytes(device: str) -> int:
    """Bytes that this process can still get on a device: the least of what the machine and its limits leave."""
    if torch.device(device).type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return min(free_memory(), _left_of_address_space(), _left_of_group())


def _left_of_address_space() -> int:
    """RLIMIT_AS (ulimit -v) less what is mapped."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return 2**63
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    return max(0, limit - mapped)


def _left_of_group() -> int:
    """What the limit of a container leaves (control groups, version 2); cached files are given up when needed."""
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
        used = int((CGROUP / "memory.current").read_text())
        statistics = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
    except (OSError, ValueError):
        return 2**63
    return 2**63 if limit == "max" else max(0, int(limit) - used + int(statistics.get("inactive_file", 0)))
