"""Layers that decoder families share. Shape suffixes as in attention.py."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmcli.models.fusion import fused


class Linear(nn.Linear):
    """A matrix, left empty: a family initialises or loads it, and random numbers drawn here are waste."""

    def __init__(self, inputs: int, outputs: int, bias: bool = False) -> None:
        super().__init__(inputs, outputs, bias=bias)

    def reset_parameters(self) -> None: ...

    def channels_first(self, x_btd: Tensor) -> Tensor:
        """The product with its outputs in front and its positions innermost, (c, b, t)."""
        batch, positions, width = x_btd.shape
        return (self.weight @ x_btd.reshape(-1, width).T).view(-1, batch, positions)


class SwiGLU(nn.Module):
    """down(silu(gate(x)) * up(x)) (Shazeer, 2020), gate and up in one product."""

    def __init__(self, width: int, ffn: int) -> None:
        super().__init__()
        self.gate_up = Linear(width, 2 * ffn)
        self.down = Linear(ffn, width)

    def forward(self, x_btd: Tensor) -> Tensor:
        return self.down(gated(self.gate_up(x_btd)))  # type: ignore[no-any-return]


class ReLU(nn.Module):
    """down(relu(up(x))), as in the first transformer but without biases."""

    def __init__(self, width: int, ffn: int) -> None:
        super().__init__()
        self.up = Linear(width, ffn)
        self.down = Linear(ffn, width)

    def forward(self, x_btd: Tensor) -> Tensor:
        return self.down(F.relu(self.up(x_btd)))  # type: ignore[no-any-return]


class GatedGELU(nn.Module):
    """down(gelu(gate(x)) * up(x)) (Shazeer, 2020), gate and up in one product; GELU by its approximation with tanh."""

    def __init__(self, width: int, ffn: int) -> None:
        super().__init__()
        self.gate_up = Linear(width, 2 * ffn)
        self.down = Linear(ffn, width)

    def forward(self, x_btd: Tensor) -> Tensor:
        gate, up = self.gate_up(x_btd).chunk(2, dim=-1)
        return self.down(F.gelu(gate, approximate="tanh") * up)  # type: ignore[no-any-return]


def gated(gate_up: Tensor) -> Tensor:
    """silu(gate) * up of a tensor whose last dimension holds both."""
    result: Tensor = _Gated.apply(gate_up)  # type: ignore[no-untyped-call]
    return result


class _Gated(torch.autograd.Function):
    """Keeps its input alone for the backward pass, and writes both gradients side by side without joining them."""

    @staticmethod
    def forward(ctx: Any, gate_up: Tensor) -> Tensor:
        ctx.save_for_backward(gate_up)
        return fused(_gated, ctx.needs_input_grad[0])(gate_up)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        (gate_up,) = ctx.saved_tensors
        return fused(_gradient)(gate_up, gradients[0])


def _gated(gate_up: Tensor) -> Tensor:
    gate, up = gate_up.chunk(2, dim=-1)
    return F.silu(gate).mul_(up)


def _gradient(gate_up: Tensor, to_result: Tensor) -> Tensor:
    """Of gate and up."""
    gate, up = gate_up.chunk(2, dim=-1)
    to_gate = torch.ops.aten.silu_backward(to_result * up, gate)
    return torch.cat((to_gate, F.silu(gate).mul_(to_result)), dim=-1)
