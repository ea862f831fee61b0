"""RMSNorm (Zhang & Sennrich, 2019) with a backward pass of its own. Shape suffixes as in attention.py.

Torch's on a CPU is made of a dozen operations, each of which walks through a float32 copy of the activations; here
there are half as many, and the result has the type of the input.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmcli.models.fusion import fused


class RMSNorm(nn.Module):
    """x / rms(x) * gain, computed in float32; the result has the type of x."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return rms_norm(x, self.weight, self.eps)


class LayerNorm(nn.Module):
    """(x - mean) / standard deviation * gain + bias (Ba et al., 2016), in float32; the result has the type of x."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps).to(x.dtype)


def rms_norm(x: Tensor, gain_d: Tensor | None, eps: float) -> Tensor:
    """x / sqrt(mean(x^2) + eps) * gain over the last dimension d, in the type of x; without a gain it is 1."""
    if x.device.type != "cpu":
        return F.rms_norm(x.float(), x.shape[-1:], gain_d, eps).to(x.dtype)
    normed: Tensor = _Normed.apply(x, gain_d, eps)  # type: ignore[no-untyped-call]
    return normed


class _Normed(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, gain_d: Tensor | None, eps: float) -> Tensor:
        normed, scale = fused(_normed, ctx.needs_input_grad[0])(x, gain_d, eps)
        ctx.save_for_backward(x, gain_d, scale)
        return normed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None, None]:
        x, gain_d, scale = ctx.saved_tensors
        return *fused(_gradients)(x, gain_d, scale, gradients[0]), None


def _normed(x: Tensor, gain_d: Tensor | None, eps: float) -> tuple[Tensor, Tensor]:
    """The result, and 1 / rms(x)."""
    unit, scale = unit_and_scale(x, eps)
    return (unit if gain_d is None else unit.mul_(gain_d)).to(x.dtype), scale


def _gradients(x: Tensor, gain_d: Tensor | None, scale: Tensor, to_result: Tensor) -> tuple[Tensor, Tensor | None]:
    """Of x and of the gain."""
    unit, to_normed = own_float32(x).mul_(scale), own_float32(to_result)
    to_x, products = through_norm(unit, scale, to_normed, gain_d, dim=-1)
    return to_x.to(x.dtype), None if gain_d is None else products.flatten(0, -2).sum(0)


def own_float32(x: Tensor) -> Tensor:
    """A float32 copy, which may be overwritten."""
    return x.to(torch.float32, copy=True)


def unit_and_scale(x: Tensor, eps: float, dim: int = -1) -> tuple[Tensor, Tensor]:
    """x / rms(x) and 1 / rms(x), float32, with rms(x) = sqrt(mean(x^2) + eps) over a dimension, kept with size 1."""
    unit = own_float32(x)
    scale = (unit.square().sum(dim, keepdim=True) / x.shape[dim]).add_(eps).rsqrt_()
    return unit.mul_(scale), scale


def through_norm(
    unit: Tensor, scale: Tensor, to_normed: Tensor, gain: Tensor | None, dim: int
) -> tuple[Tensor, Tensor]:
    """The gradient of x, and the products whose sums are the gradient of the gain.

    normed = unit * gain and unit = x * scale, whose derivative is scale * (1 - unit unit^T / d). `to_normed`, the
    gradient of normed, is overwritten.
    """
    products = to_normed * unit
    share = (products if gain is None else products * gain).sum(dim, keepdim=True).div_(unit.shape[dim])
    to_unit = to_normed if gain is None else to_normed.mul_(gain)
    return to_unit.addcmul_(unit, share, value=-1).mul_(scale), products
