"""Training in several processes, without a launcher: each runs this file with the scenario that a test names.

RANK=0 WORLD_SIZE=2 MASTER_ADDR=127.0.0.1 MASTER_PORT=... python -m tests.training.ranks straight FOLDER
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch

from lmcli.errors import ConfigError, MachineError, Stopped
from lmcli.objectives.next_token import RunningText
from lmcli.progress import Silent
from lmcli.project import durable
from lmcli.training import joining, shard_files, shortage
from lmcli.training import step as steps
from lmcli.training.average import Averaging
from lmcli.training.clock import Clock
from lmcli.training.ingredients import Ingredients
from lmcli.training.loop import train
from lmcli.training.optimizers.adafactor import Adafactor
from lmcli.training.optimizers.adagrad import Adagrad
from lmcli.training.optimizers.adam import Adam
from lmcli.training.optimizers.adamw import AdamW
from lmcli.training.optimizers.custom import Custom
from lmcli.training.optimizers.muon import Muon
from lmcli.training.optimizers.sgd import Sgd
from lmcli.training.outcome import outcome_of
from lmcli.training.shared_run import open_run
from lmcli.training.state import State
from lmcli.training.step import Stepper
from lmcli.training.world import CommonError, World
from tests.training import tiny

OPTIMIZERS: Mapping[str, Callable[[], Any]] = {"adamw": AdamW, "muon": Muon}
OF_TORCH: Mapping[str, Callable[[], Any]] = {
    "adam": Adam,
    "sgd": Sgd,
    "adagrad": Adagrad,
    "radam": partial(Custom, target="torch.optim:RAdam", options={"lr": 0.01}),
}
"""Some have no state before their first step."""
STOP_AT = 6
DECAY, KEPT = 0.6, 6


def parts_of(optimizer: Any, world: World, seed: int = 3) -> Ingredients:
    """tiny's run, prepared for these processes."""
    model = tiny.tiny_model().initialise(seed)
    objective = world.prepare(model, RunningText(tiny.END))
    stepper = Stepper(
        model,
        objective,
        optimizer.build(model),
        clip=1.0,
        seed=11,
        autocast=contextlib.nullcontext,
        world=world,
    )
    parts = tiny.ingredients(optimizer)
    return replace(parts, stepper=stepper, validate=tiny.validation(objective, world))


def run(path: Path, world: World, parts: Ingredients) -> State:
    """As tiny.run_tiny, with the run directory that the processes share; rank 0 finishes it."""
    shared = open_run(path, "key", world)
    if shared.plan is None:
        shared.begin(tiny.plan())
    state = train(shared, parts, Silent(), Clock(0.0, lambda: 0.0))
    outcome = outcome_of(shared, parts.stepper.model, state, world)
    if world.leads:
        durable.write(path / "best", tiny.weights_digest(outcome.model))
    return state


def straight(folder: Path, rank: int) -> None:
    """Every strategy with every optimizer, from the start to the end."""
    for strategy in ("ddp", "fsdp"):
        for name, optimizer in OPTIMIZERS.items():
            world = joining.world_of(strategy)
            run(folder / f"{strategy}-{name}", world, parts_of(optimizer(), world))


def apart(folder: Path, rank: int) -> None:
    """The others begin with weights of their own, and replicas find no norm: what the first one has counts."""
    plain = steps._norm
    for strategy in ("ddp", "fsdp"):
        world = joining.world_of(strategy)
        parts = parts_of(AdamW(), world, seed=3 + rank)
        if rank and not world.is_sharded:
            steps._norm = lambda gradients: math.nan
        run(folder / strategy, world, parts)
        steps._norm = plain


def stopped(folder: Path, rank: int) -> None:
    """A signal at the last process only, in the middle of a step: all stop together."""
    for strategy in ("ddp", "fsdp"):
        world = joining.world_of(strategy)
        parts = parts_of(AdamW(), world)

        def source(step: int, plain: Any = parts.source, last: int = world.size - 1) -> Any:
            if step == STOP_AT and rank == last:
                os.kill(os.getpid(), signal.SIGTERM)
            return plain(step)

        try:
            run(folder / strategy, world, replace(parts, source=source))
        except Stopped as stop:
            assert stop.exit_code == 143
        else:
            raise AssertionError("it went on")


def gone_on(folder: Path, rank: int) -> None:
    """Torch's rules, stopped in the middle and gone on with."""
    for strategy in ("ddp", "fsdp"):
        for name, optimizer in OF_TORCH.items():
            for ends in (False, True):
                world = joining.world_of(strategy)
                parts = parts_of(optimizer(), world)

                def source(step: int, plain: Any = parts.source, stops: bool = not ends) -> Any:
                    if step == STOP_AT and rank == 0 and stops:
                        os.kill(os.getpid(), signal.SIGTERM)
                    return plain(step)

                with contextlib.nullcontext() if ends else contextlib.suppress(Stopped):
                    run(folder / f"{strategy}-{name}", world, replace(parts, source=source))


def refused(folder: Path, rank: int) -> None:
    """Rules that are not given parts of matrices."""
    for optimizer in (Adafactor(), Custom(target="tests.training.test_torch_optimizers:Remembering")):
        try:
            parts_of(optimizer, joining.world_of("fsdp"))
        except ConfigError as error:
            assert "looks at whole matrices" in error.message
        else:
            raise AssertionError("it was built")


def averaged(folder: Path, rank: int) -> None:
    """An average of the weights, and the last process is asked for a checkpoint in the middle of a step."""
    for strategy in ("ddp", "fsdp"):
        world = joining.world_of(strategy)
        parts = parts_of(AdamW(), world)
        parts.stepper.optimizer = Averaging(parts.stepper.optimizer, parts.stepper.model, DECAY)

        def source(step: int, plain: Any = parts.source, last: int = world.size - 1) -> Any:
            if step == STOP_AT and rank == last:
                os.kill(os.getpid(), signal.SIGUSR1)
            return plain(step)

        run(folder / strategy, world, replace(parts, source=source, keep=KEPT))


def short(folder: Path, rank: int) -> None:
    """The last process finds less memory than the others: none of them begins, and all say the same."""
    world = joining.world_of("ddp")
    asked = shortage.Demand(tiny.tiny_model().shape, 2, 1, "cpu", "float32", "adamw", world=world)
    plain = shortage.free_bytes
    shortage.free_bytes = lambda *_: 2**10 if rank == world.size - 1 else 2**40
    try:
        asked.check()
    except CommonError as error:
        assert error.message.endswith("and 0.00 GiB are free for it"), error.message
    else:
        raise AssertionError("it would have begun")
    finally:
        shortage.free_bytes = plain


def rotten(folder: Path, rank: int) -> None:
    """A disk that gives back something else for the last process's part of the second checkpoint's weights."""
    world = joining.world_of("fsdp")
    plain = shard_files.write

    def write(path: Path, tensors: Mapping[str, Any]) -> None:
        plain(path, tensors)
        if path.name == "model" and path.parent.name.startswith("step-00000008") and rank == world.size - 1:
            with sorted(path.iterdir())[-1].open("r+b") as part:  # in its place: rank 0 looks at the headers meanwhile
                part.seek(-1, os.SEEK_END)
                last = part.read(1)[0]
                part.seek(-1, os.SEEK_END)
                part.write(bytes([last ^ 1]))

    shard_files.write = write
    try:
        run(folder / "fsdp", world, parts_of(AdamW(), world))
    except MachineError as error:
        assert "reads back otherwise" in error.message, error.message
    else:
        raise AssertionError("it went on")
    finally:
        shard_files.write = plain


def idle(folder: Path, rank: int) -> None:
    """What one process has a gradient of, all have; what none has stays without one, so that it is left as it is."""
    mine, ours, nobodys = (torch.nn.Parameter(torch.ones(2)) for _ in range(3))
    ours.grad = torch.full((2,), float(rank + 1))
    if rank == 1:
        mine.grad = torch.full((2,), 5.0)
    world = joining.world_of("ddp")
    world.reduce([mine, ours, nobodys])
    assert mine.grad is not None
    assert ours.grad is not None
    assert (mine.grad.tolist(), nobodys.grad) == ([5.0, 5.0], None)
    assert ours.grad.tolist() == [sum(range(1, world.size + 1))] * 2


def resumed(folder: Path, rank: int) -> None:
    """Each folder below is a run that was stopped; its name says with which strategy to go on."""
    for path in sorted(folder.iterdir()):
        world = joining.world_of(path.name.split("-")[0])
        run(path, world, parts_of(AdamW(), world))


def everything(folder: Path, rank: int) -> None:
    straight(folder / "straight", rank)
    apart(folder / "apart", rank)
    stopped(folder / "stopped", rank)
    averaged(folder / "averaged", rank)
    rotten(folder / "rotten", rank)
    short(folder, rank)
    gone_on(folder / "gone-on", rank)
    refused(folder, rank)
    idle(folder, rank)


SCENARIOS = {"everything": everything, "resumed": resumed}


def start(scenario: str, folder: Path, size: int) -> None:
    """Run a scenario in `size` processes, and wait for all of them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(size), "OMP_NUM_THREADS": "1"}
    shared |= {"GLOO_SOCKET_IFNAME": "lo", "PYTHONPATH": str(Path(__file__).parents[2])}
    processes = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.training.ranks", scenario, str(folder)],
            env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank), "LOCAL_WORLD_SIZE": str(size)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]
    ends = [process.communicate(timeout=240)[1] for process in processes]
    assert not any(process.returncode for process in processes), "\n".join(ends)


@contextlib.contextmanager
def without_writing() -> Iterator[None]:
    def refuse(operation: str, path: Path) -> None:
        raise AssertionError(f"a process other than the first would {operation} {path}")

    with tiny.operations(refuse):
        yield


def main() -> None:
    torch.set_num_threads(1)
    crew = joining.join()
    with without_writing() if crew.rank else contextlib.nullcontext():
        SCENARIOS[sys.argv[1]](Path(sys.argv[2]), crew.rank)
    joining.leave()


if __name__ == "__main__":
    main()
