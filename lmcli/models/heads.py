"""Output layers: from hidden states to one logit for each token of the vocabulary."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor


@dataclass(frozen=True, slots=True)
class Head:
    """`weight` (v, d), an optional `bias` (v,), and an optional `softcap` c: logits become c * tanh(logits / c).

    The cap is that of Gemma 2 (Gemma Team, 2024, section 2).
    """

    weight: Tensor
    bias: Tensor | None = None
    softcap: float | None = None

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., v) from (..., d), float32."""
        logits = F.linear(hidden, self.weight, self.bias).float()
        return logits if self.softcap is None else capped(logits, self.softcap)


def capped(logits: Tensor, cap: float) -> Tensor:
    """Logits squeezed into (-cap, cap)."""
    return (logits / cap).tanh() * cap
