"""Several processes with a copy of the model each: gradients are added up, everything else follows from that.

Not torch's DistributedDataParallel: a step may hold fewer micro-batches than there are processes, which that can't do
without its own bookkeeping, and the gradient must be that of the sum over the step, not of the mean over processes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from lmcli.objectives.batch import Batch
from lmcli.objectives.objective import Objective
from lmcli.training.world import World

T = TypeVar("T")

BUCKET = 8 << 20
"""Elements that travel at once: 32 MiB of float32."""


class Replicas(World):
    """The members of torch's default process group. What torch says about one that is gone, `lost_peers` translates."""

    def __init__(self, local_rank: int, local_size: int) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        self.local_rank, self.local_size = local_rank, local_size

    def share(self, batches: Iterable[Batch]) -> Iterator[tuple[int, Batch]]:
        source = iter(batches)
        first = 0
        while group := list(islice(source, self.size)):
            yield first + self.rank, group[self.rank] if self.rank < len(group) else group[0].idle()
            first += self.size

    def sum(self, *values: float) -> tuple[float, ...]:
        everyone = [row.tolist() for row in self._gathered(torch.tensor(values, dtype=torch.float64))]
        return tuple(sum(column) for column in zip(*everyone, strict=True))

    def highest(self, value: int) -> int:
        return max(int(row) for row in self._gathered(torch.tensor([value])))

    def first(self, value: T) -> T:
        """JSON, not pickle: what comes over a network is never run."""
        data = torch.frombuffer(bytearray(json.dumps(value if self.leads else None).encode()), dtype=torch.uint8)
        size = torch.tensor([len(data)])
        dist.broadcast(size, 0)
        data = data if self.leads else torch.empty(int(size), dtype=torch.uint8)
        dist.broadcast(data, 0)
        result: T = json.loads(bytes(data.numpy()))
        return result

    def prepare(self, model: nn.Module, objective: Objective) -> Objective:
        """Rank 0's weights count: what the same seed draws may differ in the last bits on another kind of machine."""
        self.copy({**dict(model.named_parameters()), **dict(model.named_buffers())})
        return objective

    def reduce(self, parameters: Sequence[nn.Parameter]) -> None:
        """A process that had nothing to compute adds zeros; what no process has a gradient of stays without one, as in
        a single process, where some optimizers then leave it as it is."""
        has = torch.tensor([parameter.grad is not None for parameter in parameters], dtype=torch.uint8)
        dist.all_reduce(has, dist.ReduceOp.MAX)
        for parameter, used in zip(parameters, has.tolist(), strict=True):
            if used and parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
        waiting = []
        for bucket in _buckets([parameter.grad for parameter in parameters if parameter.grad is not None]):
            flat = torch.cat([gradient.flatten() for gradient in bucket])
            waiting.append((bucket, flat, dist.all_reduce(flat, async_op=True)))
        for bucket, flat, work in waiting:
            work.wait()
            parts = torch.split(flat, [gradient.numel() for gradient in bucket])
            torch._foreach_copy_(bucket, [part.view_as(one) for part, one in zip(parts, bucket, strict=True)])

    def norm(self, local: float) -> float:
        """Rank 0's, so that all clip alike and none leaves out a step that another one takes."""
        norm = torch.tensor([local], dtype=torch.float64)
        dist.broadcast(norm, 0)
        return norm.item()

    def copy(self, targets: Mapping[str, Tensor]) -> None:
        with torch.no_grad():
            for name in sorted(targets):
                tensor = targets[name].contiguous()
                dist.broadcast(tensor, 0)
                targets[name].copy_(tensor)

    def clock(self, now: Callable[[], float]) -> Callable[[], float]:
        return lambda: self.first(now())

    def _gathered(self, row: Tensor) -> list[Tensor]:
        """The rows of all processes, the same everywhere."""
        rows = [torch.empty_like(row) for _ in range(self.size)]
        dist.all_gather(rows, row)
        return rows


def _buckets(gradients: Sequence[Tensor]) -> Iterator[list[Tensor]]:
    """Neighbours of one type, at most BUCKET elements together unless one alone has more."""
    bucket: list[Tensor] = []
    for gradient in gradients:
        size = sum(member.numel() for member in bucket)
        if bucket and (size + gradient.numel() > BUCKET or gradient.dtype != bucket[0].dtype):
            yield bucket
            bucket = []
        bucket.append(gradient)
    if bucket:
        yield bucket
