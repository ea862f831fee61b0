"""Tensors of which each process may hold a part only (torch's DTensor, cut along rows), and how to compute with them.

Every function takes plain tensors too and leaves them as they are. DTensor takes half a second to import, so that is
done only where one is met.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def is_part(tensor: Tensor) -> bool:
    return hasattr(tensor, "to_local")


def local(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor; shares its memory."""
    return tensor.to_local() if is_part(tensor) else tensor  # type: ignore[attr-defined]


def part_like(own: Tensor, member: Any) -> Tensor:
    """`own`, cut as the weight `member` is, as a tensor with the shape of the whole; shares the memory of `own`."""
    if not is_part(member):
        return own
    from torch.distributed.tensor import DTensor

    return DTensor.from_local(
        own, member.device_mesh, member.placements, run_check=False, shape=member.shape, stride=member.stride()
    )


def whole_stack(own: Tensor, member: Any) -> Tensor:
    """The matrices (n, rows, columns) of which this process holds the rows `own` (n, some rows, columns).

    `member` is one of the n weights that they belong to.
    """
    if not is_part(member):
        return own
    from torch.distributed.tensor import DTensor, Shard

    shape = torch.Size((len(own), *member.shape))
    strides = torch.empty(shape, device="meta").stride()
    stack = DTensor.from_local(own, member.device_mesh, [Shard(1)], run_check=False, shape=shape, stride=strides)
    return stack.full_tensor()


def own_rows(whole: Tensor, member: Any) -> Tensor:
    """The rows that this process holds: undoes `whole_stack`."""
    if not is_part(member):
        return whole
    chunk = -(-member.shape[0] // member.device_mesh.size())  # as torch.chunk cuts, and so fully_shard
    first = min(member.device_mesh.get_local_rank() * chunk, member.shape[0])
    return whole[:, first : first + len(member.to_local())]


def fill_part(target: Any, whole: Tensor) -> None:
    """Copy this process's part of a tensor that it has as a whole."""
    with torch.no_grad():
        if is_part(target) and target.device_mesh.ndim == 1 and target.ndim:
            whole = own_rows(whole[None], target)[0]
        local(target).copy_(whole)
