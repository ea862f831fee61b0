"""Several processes with a part of each weight, gradient and optimizer state each: torch's FSDP2 (`fully_shard`).

A block's weights are brought together when the block is computed. The losses of all processes are added up, as with
replicas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard

from lmcli.errors import ConfigError
from lmcli.models.model import Model
from lmcli.objectives.batch import Batch, Sums
from lmcli.objectives.mixed import Mixed
from lmcli.objectives.objective import Objective
from lmcli.training.parts import local
from lmcli.training.replicas import Replicas


class Shards(Replicas):
    strategy = "fsdp"
    is_sharded = True
    _heads: frozenset[int] = frozenset()
    """The identities of the weights outside of blocks, where a step may leave some unused."""

    def prepare(self, model: nn.Module, objective: Objective) -> Objective:
        """Cut rank 0's weights up, in place."""
        objective = super().prepare(model, objective)
        device = next(model.parameters()).device
        mesh = init_device_mesh(device.type, (self.size,))
        whole = _Whole(model, objective)
        for block in _blocks(model):
            fully_shard(block, mesh=mesh)
        fully_shard(whole, mesh=mesh, reshard_after_forward=True)
        may_idle = isinstance(objective, Mixed) and objective.has_idle_heads
        for module in whole.modules():
            if isinstance(module, FSDPModule):  # sums, where the default is the mean over the processes
                module.set_force_sum_reduction_for_comms(True)
                module.set_gradient_divide_factor(1.0)
                if may_idle:
                    _reduce_idle_heads(module)
        if may_idle:
            inside = {id(parameter) for block in _blocks(model) for parameter in block.parameters()}
            self._heads = frozenset(map(id, whole.parameters())) - inside
        return _ShardedObjective(whole, objective)

    def reduce(self, parameters: Sequence[nn.Parameter]) -> None:
        """Done already, in the backward pass. A head that no process has used in this step has no gradient, as in one
        process, where some optimizers then leave it as it is. (In blocks a gradient may be zero for other reasons: some
        matrices begin as zeros.)"""
        heads = [parameter for parameter in parameters if id(parameter) in self._heads]
        if not heads:
            return
        used = [parameter.grad is not None and bool(local(parameter.grad).any()) for parameter in heads]
        by_any = torch.tensor(used, dtype=torch.uint8)
        dist.all_reduce(by_any, dist.ReduceOp.MAX)
        for parameter, is_used in zip(heads, by_any.tolist(), strict=True):
            if not is_used:
                parameter.grad = None

    def norm(self, local: float) -> float:
        return float(self.sum(local**2)[0] ** 0.5)


def _reduce_idle_heads(module: FSDPModule) -> None:
    """Processes that are at different parts of a mixture have used different heads: all must reduce the same ones."""
    if not hasattr(module, "set_reduce_scatter_unused_params"):
        hint = "use --strategy ddp, or a newer torch"
        raise ConfigError("this torch can't shard a mixture whose parts have heads of their own", hint)
    module.set_reduce_scatter_unused_params(True, recurse=False)


def _blocks(model: nn.Module) -> Iterator[nn.Module]:
    own = cast(Model, model)
    return (block for part in (own, *own.companions().values()) for stack in part.stacks for block in stack)


class _Whole(nn.Module):
    """Model and objective as one module, since weights are whole only while a sharded module's `forward` runs."""

    def __init__(self, model: nn.Module, objective: Objective) -> None:
        super().__init__()
        self.model = model
        self._objective = objective

    def forward(self, batch: Batch, evaluating: bool) -> Any:
        if evaluating:
            return self._objective.evaluate(self.model, batch)
        return dict(self._objective.losses(self.model, batch))


class _ShardedObjective:
    """The objective over a model that was cut up; it must be that model that the caller hands in."""

    def __init__(self, whole: _Whole, objective: Objective) -> None:
        self._whole = whole
        self.needs, self.heads, self.weights = objective.needs, objective.heads, objective.weights

    def losses(self, model: nn.Module, batch: Batch) -> Mapping[str, Tensor]:
        assert model is self._whole.model
        losses: dict[str, Tensor] = self._whole(batch, False)
        return losses

    def evaluate(self, model: nn.Module, batch: Batch) -> Sums:
        assert model is self._whole.model
        with torch.no_grad():
            sums: Sums = self._whole(batch, True)
        return sums
