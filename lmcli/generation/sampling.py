"""From logits to the next token, as pure functions. Names end in their shape: b rows, v vocabulary, n candidates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from lmcli.errors import ArtifactError


@dataclass(frozen=True, kw_only=True)
class Rules:
    """How a token is chosen; the defaults draw from the model's own distribution. Temperature 0 is greedy."""

    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0
    min_p: float = 0.0


def choose(logits_bv: Tensor, uniform_b: Tensor, rules: Rules) -> Tensor:
    """One token for each row, (b,): temperature, then top-k, top-p and min-p, then a draw by `uniform_b` in [0, 1).

    Raises ArtifactError when a row has no finite maximum, which no sound model gives.
    """
    peak_b1 = logits_bv.amax(-1, keepdim=True)
    if not torch.isfinite(peak_b1).all():
        raise ArtifactError("the model's scores aren't finite", "it is damaged or diverged: take an earlier one")
    if rules.temperature == 0:
        return logits_bv.argmax(-1)
    # The maximum becomes 0 first, so that the smallest temperature can't overflow.
    logits_bn, ids_bn = keep_top_k((logits_bv - peak_b1) / rules.temperature, rules.top_k)
    logits_bn = keep_min_p(keep_top_p(logits_bn, rules.top_p), rules.min_p)
    drawn_b1 = draw(logits_bn, uniform_b)[:, None]
    return (drawn_b1 if ids_bn is None else ids_bn.gather(1, drawn_b1))[:, 0]


def penalise(logits_bv: Tensor, seen_bv: Tensor, penalty: float) -> Tensor:
    """Scores of tokens seen before divided by `penalty` where positive, multiplied where negative (Keskar 2019)."""
    lowered_bv = torch.where(logits_bv > 0, logits_bv / penalty, logits_bv * penalty)
    return torch.where(seen_bv, lowered_bv, logits_bv)


def keep_top_k(logits_bv: Tensor, k: int) -> tuple[Tensor, Tensor | None]:
    """The k highest scores of each row and their ids, best first; all scores and None for k = 0 or k >= v."""
    if not 0 < k < logits_bv.shape[1]:
        return logits_bv, None
    values_bk, ids_bk = logits_bv.topk(k)
    return values_bk, ids_bk


def keep_top_p(logits_bn: Tensor, p: float) -> Tensor:
    """-inf for all but the fewest likeliest candidates whose probabilities reach p; one stays at least."""
    if p >= 1:
        return logits_bn
    sorted_bn, order_bn = torch.sort(logits_bn, dim=-1, descending=True, stable=True)
    probabilities_bn = sorted_bn.softmax(-1)
    before_bn = probabilities_bn.cumsum(-1) - probabilities_bn
    drop_bn = before_bn >= p
    drop_bn[:, 0] = False
    return logits_bn.masked_fill(drop_bn.scatter(1, order_bn, drop_bn), -math.inf)


def keep_min_p(logits_bn: Tensor, p: float) -> Tensor:
    """-inf for candidates less likely than p times the likeliest."""
    if p <= 0:
        return logits_bn
    return logits_bn.masked_fill(logits_bn < logits_bn.amax(-1, keepdim=True) + math.log(p), -math.inf)


def draw(logits_bn: Tensor, uniform_b: Tensor) -> Tensor:
    """The candidate in whose stretch of the cumulated probabilities each uniform number falls, (b,)."""
    cumulated_bn = logits_bn.softmax(-1).cumsum(-1)
    total_b1 = cumulated_bn[:, -1:].contiguous()
    target_b1 = uniform_b.to(total_b1)[:, None] * total_b1
    drawn_b1 = torch.searchsorted(cumulated_bn, target_b1, right=True)
    # Rounding can lift the target to the total: the last candidate with a probability then, never one without.
    last_b1 = torch.searchsorted(cumulated_bn, total_b1)
    return torch.minimum(drawn_b1, last_b1)[:, 0]
