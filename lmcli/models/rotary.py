"""Rotary positions (Su et al., 2021): channel i turns together with channel i + k/2, as Hugging Face pairs them.

Shape suffixes as in attention.py. Queries and keys come with their positions innermost, (h, k, b, t): so every
operation here walks along thousands of numbers that lie side by side, not along the 64 of a head.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lmcli.models.fusion import fused
from lmcli.models.norms import own_float32, through_norm, unit_and_scale

Turn = tuple[Tensor, Tensor]
"""Cosine and sine of the angles, float32, broadcasting to (h, k/2, b, t)."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """How Llama 3.1 reads texts longer than those of `context` positions that it was trained on before.

    Wavelengths above context / `low` become `factor` times as long, those below context / `high` stay, and between
    the two goes a line (in the frequency; Dubey et al., 2024, released with the model's code).
    """

    factor: float
    low: float
    high: float
    context: int

    def applied(self, frequencies: Tensor) -> Tensor:
        turns = self.context * frequencies / (2 * math.pi)
        kept = ((turns - self.low) / (self.high - self.low)).clamp(0, 1)
        return frequencies * (kept + (1 - kept) / self.factor)


class Rotary(nn.Module):
    cos: Tensor
    sin: Tensor

    def __init__(self, head_dim: int, context: int, theta: float, stretch: Stretch | None = None) -> None:
        super().__init__()
        frequencies = 1.0 / theta ** (torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)
        if stretch:
            frequencies = stretch.applied(frequencies)
        angles = torch.outer(frequencies, torch.arange(context, dtype=torch.float32))  # (k/2, context)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def at(self, start: int, positions: int, padding_b: Tensor | None) -> Turn:
        """For positions start, start + 1, ..., counted in each row from the end of its padding."""
        if padding_b is None:
            span = slice(start, start + positions)
            return self.cos[:, None, span], self.sin[:, None, span]
        columns = torch.arange(start, start + positions, device=padding_b.device)
        position_bt = (columns - padding_b[:, None]).clamp(min=0)
        return self.cos[:, position_bt], self.sin[:, position_bt]


def rotated(x_hkbt: Tensor, turn: Turn) -> Tensor:
    """x turned by its position, in its type, (b, h, t, k)."""
    turned: Tensor = _Rotated.apply(x_hkbt, *turn)  # type: ignore[no-untyped-call]
    return turned.mT


def normed_and_rotated(x_hkbt: Tensor, gain_k: Tensor | None, turn: Turn, eps: float) -> Tensor:
    """x after RMSNorm over k and rotation, in its type, (b, h, t, k)."""
    turned: Tensor = _NormedAndRotated.apply(x_hkbt, gain_k, *turn, eps)  # type: ignore[no-untyped-call]
    return turned.mT


class _Rotated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_hkbt: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turned(x_hkbt, x_hkbt.dtype, cos, sin)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        to_x_bhkt = _turned(gradients[0].permute(1, 2, 0, 3), gradients[0].dtype, cos, -sin)
        return to_x_bhkt.permute(1, 2, 0, 3), None, None


class _NormedAndRotated(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x_hkbt: Tensor, gain_k: Tensor | None, cos: Tensor, sin: Tensor, eps: float) -> Tensor:
        turned, scale = fused(_normed_and_turned, ctx.needs_input_grad[0])(x_hkbt, gain_k, cos, sin, eps)
        ctx.save_for_backward(x_hkbt, gain_k, cos, sin, scale)
        return turned

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None, None, None, None]:
        x_hkbt, gain_k, cos, sin, scale = ctx.saved_tensors
        to_x, to_gain = fused(_gradients)(x_hkbt, gain_k, cos, sin, scale, gradients[0])
        return to_x, to_gain, None, None, None


def _normed_and_turned(
    x_hkbt: Tensor, gain_k: Tensor | None, cos: Tensor, sin: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """The result (b, h, k, t), and 1 / rms(x)."""
    unit, scale = unit_and_scale(x_hkbt, eps, dim=1)
    normed = unit if gain_k is None else unit.mul_(gain_k[:, None, None])
    return _turned(normed, x_hkbt.dtype, cos, sin), scale


def _gradients(
    x_hkbt: Tensor, gain_k: Tensor | None, cos: Tensor, sin: Tensor, scale: Tensor, to_turned: Tensor
) -> tuple[Tensor, Tensor | None]:
    """Of x and of the gain."""
    to_normed = torch.empty(x_hkbt.shape, dtype=torch.float32, device=x_hkbt.device)
    _turn_into(to_normed, to_turned.permute(1, 2, 0, 3).float(), cos, -sin)  # a rotation's transpose turns back
    unit = own_float32(x_hkbt).mul_(scale)
    gain = None if gain_k is None else gain_k[:, None, None]
    to_x, products = through_norm(unit, scale, to_normed, gain, dim=1)
    return to_x.to(x_hkbt.dtype), None if gain is None else products.sum((2, 3)).sum(0)


def _turned(x_hkbt: Tensor, dtype: torch.dtype, cos: Tensor, sin: Tensor) -> Tensor:
    """x turned by its position, (b, h, k, t)."""
    heads, width, batch, positions = x_hkbt.shape
    turned = torch.empty(batch, heads, width, positions, dtype=dtype, device=x_hkbt.device)
    _turn_into(turned.permute(1, 2, 0, 3), x_hkbt, cos, sin)
    return turned


def _turn_into(out_hkbt: Tensor, x_hkbt: Tensor, cos: Tensor, sin: Tensor) -> None:
    """Write x turned by its position, computed in float32, over `out_hkbt`."""
    left, right = x_hkbt.chunk(2, dim=1)
    into_left, into_right = out_hkbt.chunk(2, dim=1)
    into_left.copy_((left * cos).addcmul_(right, sin, value=-1))
    into_right.copy_((right * cos).addcmul_(left, sin))
