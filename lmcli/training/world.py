"""The processes that train one model together, as the loop sees them. One process by itself is a world of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from torch import Tensor, nn
from torch.distributed import DistError

from lmcli.errors import MachineError, Stopped
from lmcli.objectives.batch import Batch
from lmcli.objectives.objective import Objective

T = TypeVar("T")


class LostContactError(MachineError):
    """Another process of this run has ended, or can't be reached any more."""


class CommonError(MachineError):
    """What all processes of a run find out together: rank 0 says it for all."""


class CommonStop(Stopped):
    """All processes of a run have ended at the same step, for a signal that one of them got."""


@contextlib.contextmanager
def lost_peers() -> Iterator[None]:
    """Say in words what torch's collectives say when the other side is gone."""
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, DistError) and not _of_transport(error):
            raise
        hint = "its own message, or the launcher's, says why; the same command goes on from the last checkpoint"
        raise LostContactError("another process of this run has ended", hint) from error


def _of_transport(error: RuntimeError) -> bool:
    """Gloo has no error of its own."""
    text = str(error)
    return any(sign in text for sign in ("gloo", "Connection closed by peer", "Connection reset by peer", "NCCL"))


class World:
    """A single process: nothing to share, to add up or to wait for.

    `rank` counts the processes from 0, and rank 0 alone writes and speaks; `local_size` of them run on this machine.
    What `replicas.py` and `shards.py` override is called by all processes, in the same order.
    """

    rank = 0
    size = 1
    local_rank = 0
    local_size = 1
    strategy = "ddp"
    is_sharded = False
    """Whether each process holds a part of each weight only."""

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def share(self, batches: Iterable[Batch]) -> Iterator[tuple[int, Batch]]:
        """The batches that are this process's, each with its place among all.

        Every process gets the same number; where batches run out, it is one without any target.
        """
        yield from enumerate(batches)

    def sum(self, *values: float) -> tuple[float, ...]:
        """Each value added up over all processes, in double precision and in the order of the ranks."""
        return values

    def highest(self, value: int) -> int:
        """The largest that any process states."""
        return value

    def first(self, value: T) -> T:
        """What rank 0 states, which is anything that JSON can hold."""
        return value

    def prepare(self, model: nn.Module, objective: Objective) -> Objective:
        """Get the model ready to be trained here, before its optimizer is built; the objective to train it with."""
        return objective

    def reduce(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace the gradients by those of the sum of the losses of all processes."""

    def norm(self, local: float) -> float:
        """The norm of a whole gradient, given that of what this process holds of it."""
        return local

    def copy(self, targets: Mapping[str, Tensor]) -> None:
        """Overwrite tensors, which have the same names and shapes everywhere, by those of rank 0."""

    def clock(self, now: Callable[[], float]) -> Callable[[], float]:
        """`now` of rank 0, so that all processes decide alike."""
        return now


SOLO = World()
