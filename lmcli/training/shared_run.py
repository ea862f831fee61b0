"""The directory of a run that several processes work on: rank 0 reads and writes it, the others hear what it holds."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from lmcli.progress import Progress
from lmcli.training.checkpoints import Checkpoint
from lmcli.training.heard import HeardCheckpoints
from lmcli.training.optimizers.optimizer import Described, Optimizer, places
from lmcli.training.plan import Extension, Plan, Replan, Timeline
from lmcli.training.run import RunDirectory
from lmcli.training.state import State
from lmcli.training.world import World

Tensors = Mapping[str, Tensor]


class Log(Protocol):
    """What the loop asks of metrics.jsonl."""

    failure: OSError | None

    def append(self, row: Mapping[str, Any]) -> None: ...

    def sync(self) -> None: ...

    def keep_until(self, step: int) -> None: ...


class Saved(Protocol):
    """What the loop asks of the checkpoints."""

    @property
    def last(self) -> Checkpoint | None: ...

    @property
    def stable(self) -> Checkpoint | None: ...

    def state(self) -> State | None: ...

    def restore(self, model: nn.Module, optimizer: Optimizer) -> None: ...

    def save(
        self,
        state: State,
        model: Tensors,
        optimizer: Tensors,
        best: Tensors | None,
        *,
        stable: bool = False,
        keep: int = 1,
        averaged: bool = False,
    ) -> None: ...

    def load_best(self) -> dict[str, Tensor]: ...


class Run(Protocol):
    """What the loop asks of a run directory."""

    path: Path
    plan: Plan | None
    replans: tuple[Replan, ...]
    extensions: tuple[Extension, ...]

    @property
    def metrics(self) -> Log: ...

    @property
    def checkpoints(self) -> Saved: ...

    @property
    def timeline(self) -> Timeline: ...

    def begin(self, plan: Plan) -> None: ...

    def log_replan(self, replan: Replan) -> None: ...

    def log_extension(self, extension: Extension) -> None: ...

    def tell(self, progress: Progress) -> None: ...


def open_run(
    path: Path,
    key: str,
    world: World,
    made_from: Mapping[str, Any] | None = None,
    settle: Callable[[RunDirectory], None] = lambda run: None,
) -> Run:
    """The run of `key` in `path`, as RunDirectory, after `settle` has brought it to what is asked of it.

    Rank 0 alone touches it, and finds what is wrong with it.
    """
    own = RunDirectory(path, key, made_from) if world.leads else None
    if own:
        settle(own)
    return own if own and world.size == 1 else SharedRun(path, own, world)


def has_begun(run: Run, world: World) -> bool:
    """Whether there is a checkpoint to go on from. Rank 0 knows; the others take it that there is."""
    return not world.leads or run.checkpoints.last is not None


def say_idle(plan: Plan, world: World, progress: Progress) -> None:
    """Warn when a step has too few micro-batches to keep all processes busy."""
    micro_batches = -(-plan.batching.rows // plan.batching.micro_rows)
    busy = micro_batches / (-(-micro_batches // world.size) * world.size)
    if busy < 0.9:
        found = f"a step has {micro_batches} micro-batches: {world.size} processes are busy {busy:.0%} of the time"
        progress.warn(f"{found} (a larger batch_tokens, or a smaller micro_batch, would change that)")


class SharedRun:
    """A RunDirectory whose every method is called by all processes alike."""

    def __init__(self, path: Path, own: RunDirectory | None, world: World) -> None:
        self.path, self._own, self._world = path, own, world
        self.metrics: Log = self._own.metrics if self._own else _NoLog()
        self.checkpoints: Saved = _checkpoints(world, path, self._own)
        plan = world.first(self._own.plan.to_json() if self._own and self._own.plan else None)
        self.plan = Plan.from_json(plan) if plan else None
        self.replans = self._heard_replans()
        self.extensions = self._heard_extensions()

    @property
    def timeline(self) -> Timeline:
        assert self.plan is not None
        return Timeline(self.plan.pace.steps, self.replans, self.extensions)

    def tell(self, progress: Progress) -> None:
        """As RunDirectory.tell, which rank 0 knows."""
        if self._own:
            self._own.tell(progress)

    def begin(self, plan: Plan) -> None:
        """Rank 0's plan counts; it says how many processes made it, and how they work together."""
        plan = replace(plan, processes=self._world.size, strategy=self._world.strategy)
        if self._own:
            self._own.begin(plan)
        self.plan = Plan.from_json(self._world.first(plan.to_json()))

    def log_replan(self, replan: Replan) -> None:
        """Rank 0's clock counts."""
        if self._own:
            self._own.log_replan(replan)
        self.replans = self._heard_replans()

    def log_extension(self, extension: Extension) -> None:
        """Rank 0's clock counts."""
        if self._own:
            self._own.log_extension(extension)
        self.extensions = self._heard_extensions()

    def _heard_extensions(self) -> tuple[Extension, ...]:
        known = self._own.extensions if self._own else ()
        return tuple(Extension(**item) for item in self._world.first([dataclasses.asdict(item) for item in known]))

    def _heard_replans(self) -> tuple[Replan, ...]:
        known = self._own.replans if self._own else ()
        return tuple(Replan(**item) for item in self._world.first([dataclasses.asdict(item) for item in known]))


def _checkpoints(world: World, path: Path, own: RunDirectory | None) -> Saved:
    if not world.is_sharded:
        return _Copies(world, own.checkpoints if own else None)
    from lmcli.training.sharded_checkpoints import ShardedCheckpoints

    return ShardedCheckpoints(world, path, own.checkpoints if own else None)


class _Copies(HeardCheckpoints):
    """Every process holds all of the model: rank 0 writes it, and hands it round when the run goes on."""

    def restore(self, model: nn.Module, optimizer: Optimizer) -> None:
        if self._own:
            self._own.restore(model, optimizer)
        self._world.copy(dict(model.named_parameters()))
        if self._own:
            memory = optimizer.state()
            self._heard(memory)
            self._world.copy(memory)
        else:
            memory = places(optimizer.blank(), self._heard({}))
            self._world.copy(memory)
            optimizer.load(memory)

    def _heard(self, memory: Tensors) -> dict[str, Described]:
        """The names, shapes and types of rank 0's `memory`: some optimizers make it in their first step."""
        own: dict[str, Any] = {name: [list(item.shape), str(item.dtype)] for name, item in memory.items()}
        known = self._world.first(own).items()
        return {name: (tuple(shape), getattr(torch, dtype.removeprefix("torch."))) for name, (shape, dtype) in known}

    def save(self, *arguments: Any, **options: Any) -> None:
        if self._own:
            self._own.save(*arguments, **options)

    def load_best(self) -> dict[str, Tensor]:
        assert self._own is not None, "rank 0 alone finishes a run"
        return self._own.load_best()


class _NoLog:
    """Rank 0 writes the log."""

    def __init__(self) -> None:
        self.failure: OSError | None = None

    def append(self, row: Mapping[str, Any]) -> None: ...

    def sync(self) -> None: ...

    def keep_until(self, step: int) -> None: ...
