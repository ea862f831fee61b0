"""Causal attention for training on a CPU, with a backward pass of its own. Shape suffixes as in attention.py.

The queries are taken in blocks, and a block never meets the keys that come after it: with 4 blocks that leaves 5/8 of
the products and of the softmax. `F.scaled_dot_product_attention` computes the same, 2 to 4 times as slowly on
processors with AVX512-BF16 (torch 2.13).
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

BLOCK = 128
"""Queries at once. Smaller blocks skip more of what the mask hides, and larger ones make better matrix products."""

KEPT = 2**23
"""Attention weights of a layer that are kept for the backward pass; more of them are computed again there."""


def causal_attention(q_bhtk: Tensor, k_bhtk: Tensor, v_bhtk: Tensor, scale: float) -> Tensor:
    """softmax(scale * q k^T) v where no position sees a later one, (b, h, t, k), differentiable once.

    Scores are held in the type of the inputs; softmax and its derivative are computed in float32.
    """
    shape = q_bhtk.shape
    q_ntk, k_ntk, v_ntk = (x.reshape(-1, *shape[2:]) for x in (q_bhtk, k_bhtk, v_bhtk))
    out_ntk: Tensor = _Causal.apply(q_ntk, k_ntk, v_ntk, scale)  # type: ignore[no-untyped-call]
    return out_ntk.view(shape)


class _Causal(torch.autograd.Function):
    """Over n = b * h independent heads."""

    @staticmethod
    def forward(ctx: Any, q_ntk: Tensor, k_ntk: Tensor, v_ntk: Tensor, scale: float) -> Tensor:
        out_ntk = torch.empty_like(q_ntk, memory_format=torch.contiguous_format)
        weights: list[Tensor] = []
        for rows, keys in _blocks(q_ntk.shape[1]):
            weights_nij = _weights(q_ntk[:, rows], k_ntk[:, keys], scale)
            torch.bmm(weights_nij, v_ntk[:, keys], out=out_ntk[:, rows])
            if q_ntk.shape[0] * q_ntk.shape[1] ** 2 <= KEPT:
                weights.append(weights_nij)
        ctx.scale = scale
        ctx.save_for_backward(q_ntk, k_ntk, v_ntk, *weights)
        return out_ntk

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        (grad_ntk,) = gradients
        q_ntk, k_ntk, v_ntk, *kept = ctx.saved_tensors
        to_q, to_k, to_v = (torch.empty_like(x) for x in (q_ntk, k_ntk, v_ntk))
        # From the last block on, which reaches all keys: it writes what the others add to.
        for rows, keys in reversed(_blocks(q_ntk.shape[1])):
            weights_nij = kept.pop() if kept else _weights(q_ntk[:, rows], k_ntk[:, keys], ctx.scale)
            beta = 0 if keys.stop == q_ntk.shape[1] else 1
            grad_nik = grad_ntk[:, rows]
            _add_product(to_v[:, keys], weights_nij.mT, grad_nik, beta, 1.0)
            to_weights = torch.bmm(grad_nik, v_ntk[:, keys].mT)
            to_scores = torch._softmax_backward_data(to_weights, weights_nij, -1, weights_nij.dtype)
            _add_product(to_q[:, rows], to_scores, k_ntk[:, keys], 0, ctx.scale)
            _add_product(to_k[:, keys], to_scores.mT, q_ntk[:, rows], beta, ctx.scale)
        return to_q, to_k, to_v, None


def _add_product(out: Tensor, left: Tensor, right: Tensor, beta: int, alpha: float) -> None:
    """out = beta * out + alpha * left right; a transposed `out` is written as it lies in memory."""
    if out.stride(-1) == 1:
        out.baddbmm_(left, right, beta=beta, alpha=alpha)
    else:
        out.mT.baddbmm_(right.mT, left.mT, beta=beta, alpha=alpha)


def _blocks(positions: int) -> list[tuple[slice, slice]]:
    """(queries, the keys that they may see) of each block."""
    ends = [min(start + BLOCK, positions) for start in range(0, positions, BLOCK)]
    return [(slice(start, end), slice(0, end)) for start, end in zip([0, *ends], ends, strict=False)]


def _weights(q_nik: Tensor, k_njk: Tensor, scale: float) -> Tensor:
    """Attention weights (n, i, j) of queries that are the last i of j positions."""
    scores_nij = torch.baddbmm(q_nik.new_empty(1, 1, 1), q_nik, k_njk.mT, beta=0, alpha=scale)
    count = q_nik.shape[1]
    future = torch.ones(count, count, dtype=torch.bool, device=q_nik.device).triu_(1)
    scores_nij[:, :, -count:].masked_fill_(future, -torch.inf)
    return scores_nij.softmax(-1)
