"""Layers with a backward pass of their own, against the same made of torch's differentiable parts."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lmcli.models.dropping import dropout
from lmcli.models.layers import gated
from lmcli.models.norms import rms_norm
from lmcli.models.rotary import Rotary, Turn, normed_and_rotated, rotated


def agree(ours: Callable[..., Tensor], theirs: Callable[..., Tensor], *inputs: Tensor) -> None:
    """Values and gradients of both, in float32; the inputs must not be changed."""
    before = [x.detach().clone() for x in inputs]
    mine, other = ours(*inputs), theirs(*inputs)
    torch.testing.assert_close(mine, other, atol=1e-6, rtol=1e-5)
    weight = torch.randn_like(other)
    kept = weight.clone()
    found = torch.autograd.grad(mine, inputs, weight)
    expected = torch.autograd.grad(other, inputs, kept)
    for one, two in zip(found, expected, strict=True):
        torch.testing.assert_close(one, two, atol=1e-5, rtol=1e-4)
    assert torch.equal(weight, kept)
    assert all(torch.equal(x, y) for x, y in zip(inputs, before, strict=True))


def rotate_by_parts(x_hkbt: Tensor, turn: Turn) -> Tensor:
    cos, sin = turn
    left, right = x_hkbt.chunk(2, dim=1)
    return torch.cat((left * cos - right * sin, right * cos + left * sin), dim=1).permute(2, 0, 3, 1)


def test_rms_norm() -> None:
    torch.manual_seed(0)
    x, gain = torch.randn(3, 5, 16, requires_grad=True), torch.rand(16, requires_grad=True)
    agree(lambda x, w: rms_norm(x, w, 1e-6), lambda x, w: F.rms_norm(x, (16,), w, 1e-6), x, gain)


def test_gated() -> None:
    torch.manual_seed(0)
    x = torch.randn(3, 5, 12, requires_grad=True)
    agree(gated, lambda x: F.silu(x[..., :6]) * x[..., 6:], x)


@pytest.mark.parametrize("padding", [None, [0, 2, 4]], ids=["plain", "padded"])
def test_rotation_with_and_without_a_norm(padding: list[int] | None) -> None:
    torch.manual_seed(0)
    x, gain = torch.randn(2, 8, 3, 5, requires_grad=True), torch.rand(8, requires_grad=True)
    turn = Rotary(8, 16, 100.0).at(3, 5, None if padding is None else torch.tensor(padding))
    agree(lambda x: rotated(x, turn), lambda x: rotate_by_parts(x, turn), x)

    def by_parts(x: Tensor, gain: Tensor) -> Tensor:
        normed = F.rms_norm(x.transpose(1, 3), (8,), gain, 1e-6).transpose(1, 3)
        return rotate_by_parts(normed, turn)

    agree(lambda x, w: normed_and_rotated(x, w, turn, 1e-6), by_parts, x, gain)


def test_dropout_keeps_the_mean_and_drops_its_share() -> None:
    torch.manual_seed(0)
    x = torch.ones(1000, 999)
    dropped = dropout(x, 0.1)
    assert abs(float((dropped == 0).float().mean()) - 26 / 256) < 0.002
    assert abs(float(dropped.mean()) - 1) < 0.002
    assert len(dropped.unique()) == 2


def test_dropout_repeats_with_the_seed_and_does_nothing_at_zero() -> None:
    x = torch.randn(7, 13)
    torch.manual_seed(3)
    first = dropout(x, 0.5)
    torch.manual_seed(3)
    assert torch.equal(first, dropout(x, 0.5))
    assert torch.equal(dropout(x, 0.0), x)
