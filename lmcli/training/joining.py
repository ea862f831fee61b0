"""Joins the processes that a launcher started (torchrun, or anything that sets RANK and WORLD_SIZE) into one run.

Rank 0 does the work of the command. When it comes to training, it calls the others by a note in the launcher's store;
they wait for such calls, and for the one that sends them home.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from lmcli.errors import MachineError
from lmcli.training.replicas import Replicas
from lmcli.training.world import SOLO, LostContactError, World

POLL = 0.02
"""Seconds between two looks into the store: a wait inside of it would keep signals out."""
PATIENCE = timedelta(minutes=30)
"""For the slowest of the others to come to the same point, and to start."""

_joined: Crew | None = None


class Crew:
    """This process among those of the run."""

    def __init__(self, store: Store, rank: int, size: int) -> None:
        self.rank, self.size = rank, size
        self._store = PrefixStore("lmcli", store)
        self._calls = 0
        self.ended: int | None = None
        """The others, once they are dismissed: the exit code of rank 0."""

    def call(self, task: dict[str, Any]) -> None:
        """Rank 0: have all others do `task`."""
        self._calls += 1
        self._store.set(f"call-{self._calls}", json.dumps(task))

    def dismiss(self, code: int) -> None:
        """Rank 0: no further call will come, for the command ends with this exit code."""
        self.call({"ended": code})

    def wait(self, seconds: float = float("inf")) -> dict[str, Any] | None:
        """The others: the next task, None when there is no further one. Raises LostContactError after `seconds`."""
        key = f"call-{self._calls + 1}"
        end = time.monotonic() + seconds
        try:
            while not self._store.check([key]):
                if time.monotonic() > end:
                    raise LostContactError("the first process of this run has gone silent", "see its own message")
                time.sleep(POLL)
            self._calls += 1
            task: dict[str, Any] = json.loads(self._store.get(key))
        except dist.DistError:
            raise LostContactError("the first process of this run has ended", "see its own message") from None
        self.ended = task.get("ended")
        return task if self.ended is None else None


def was_restarted() -> bool:
    """Whether a launcher has started this command before, and a process of it has died."""
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"


def join() -> Crew:
    """Meet the other processes. Raises MachineError when they can't be reached."""
    global _joined
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    backend = "gloo"
    if local_rank < torch.cuda.device_count():
        torch.cuda.set_device(local_rank)
        backend = "cpu:gloo,cuda:nccl"
    try:
        store, rank, size = next(rendezvous("env://", timeout=PATIENCE))
        store = PrefixStore(_gathered(store, rank, size), store)
        dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=PATIENCE)
    except (ValueError, RuntimeError) as error:
        what = " ".join(str(error).split("\n")[0].split())
        hint = "the launcher sets RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT; GLOO_SOCKET_IFNAME names the network"
        raise MachineError(f"the processes of this run don't reach each other: {what}", hint) from None
    _joined = Crew(store, rank, size)
    return _joined


def _gathered(store: Store, rank: int, size: int) -> str:
    """A name that these processes, and none of an earlier try, have for their meeting.

    When a launcher starts all anew, its store still holds what the processes before have written. So each comes with a
    new mark; rank 0 lists the marks that it finds until everyone has confirmed the same list.
    """
    own = secrets.token_hex(8)
    store.set(f"here-{rank}", own)
    end = time.monotonic() + PATIENCE.total_seconds()
    while time.monotonic() < end:
        if rank == 0:
            listed = " ".join(_noted(store, f"here-{other}") or "?" for other in range(size))
            store.set("listed", listed)
            if all(_noted(store, f"seen-{other}") == listed for other in range(1, size)):
                store.set("begun", listed)
                return listed
        else:
            listed = _noted(store, "listed")
            if own in listed.split():
                store.set(f"seen-{rank}", listed)
                if _noted(store, "begun") == listed:
                    return listed
        time.sleep(POLL)
    raise RuntimeError(f"fewer than {size} came within {PATIENCE}")


def _noted(store: Store, key: str) -> str:
    return store.get(key).decode() if store.check([key]) else ""


def leave() -> None:
    """Close the connections; this process is by itself again."""
    global _joined
    if _joined is not None:
        _joined = None
        dist.destroy_process_group()


def crew() -> Crew | None:
    """The run that this process has joined."""
    return _joined


def world_of(strategy: str) -> World:
    """The processes that train together, once all of them ask for it; rank 0's strategy counts."""
    if _joined is None:
        return SOLO
    local = int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    replicas = Replicas(*local)
    if replicas.first(strategy) == "ddp":
        return replicas
    from lmcli.training.shards import Shards  # half a second of imports

    return Shards(*local)
