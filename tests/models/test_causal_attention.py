"""Our causal attention against torch's, forwards and backwards."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from lmcli.models.causal_attention import BLOCK, causal_attention


@pytest.mark.parametrize("positions", [1, 2, 17, BLOCK, BLOCK + 1, 3 * BLOCK - 5])
@pytest.mark.parametrize("transposed", [False, True], ids=["rows", "columns"])
def test_values_and_gradients_are_those_of_torch(positions: int, transposed: bool) -> None:
    torch.manual_seed(positions)
    shape = (2, 3, 8, positions) if transposed else (2, 3, positions, 8)
    stored = [torch.randn(shape, requires_grad=True) for _ in range(3)]
    q, k, v = (x.mT if transposed else x for x in stored)
    weight = torch.randn(2, 3, positions, 8)
    ours = causal_attention(q, k, v, 0.3)
    theirs = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=0.3)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    for mine, other in zip(
        torch.autograd.grad((ours * weight).sum(), stored),
        torch.autograd.grad((theirs * weight).sum(), stored),
        strict=True,
    ):
        torch.testing.assert_close(mine, other, atol=1e-5, rtol=1e-5)


def test_weights_that_are_computed_again_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, BLOCK + 9, 8, requires_grad=True) for _ in range(3))
    kept = torch.autograd.grad(causal_attention(q, k, v, 0.3).square().sum(), (q, k, v))
    monkeypatch.setattr("lmcli.models.causal_attention.KEPT", 0)
    again = torch.autograd.grad(causal_attention(q, k, v, 0.3).square().sum(), (q, k, v))
    assert all(torch.equal(one, two) for one, two in zip(kept, again, strict=True))


def test_bfloat16_stays_near_float32() -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 2, 200, 16) for _ in range(3))
    exact = causal_attention(q, k, v, 0.25)
    rough = causal_attention(q.bfloat16(), k.bfloat16(), v.bfloat16(), 0.25)
    assert rough.dtype == torch.bfloat16
    assert (rough.float() - exact).abs().max() < 0.05
