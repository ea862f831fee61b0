"""Layers that decoder families share. Shape suffixes as in attention.py."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Linear(nn.Linear):
    """A matrix without bias, left empty: a family initialises or loads it, and random numbers drawn here are waste."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(inputs, outputs, bias=False)

    def reset_parameters(self) -> None: ...


class RMSNorm(nn.Module):
    """x / rms(x) * gain, in float32 (Zhang & Sennrich, 2019)."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x.float(), self.weight.shape, self.weight, self.eps)


class SwiGLU(nn.Module):
    """down(silu(gate(x)) * up(x)) (Shazeer, 2020), gate and up in one product."""

    def __init__(self, width: int, ffn: int) -> None:
        super().__init__()
        self.gate_up = Linear(width, 2 * ffn)
        self.down = Linear(ffn, width)

    def forward(self, x_btd: Tensor) -> Tensor:
        gate_btf, up_btf = self.gate_up(x_btd).chunk(2, dim=-1)
        return self.down(F.silu(gate_btf) * up_btf)  # type: ignore[no-any-return]


class Rotary(nn.Module):
    """Rotary positions (Su et al., 2021): channel i turns together with channel i + k/2, as Hugging Face pairs them."""

    cos: Tensor
    sin: Tensor

    def __init__(self, head_dim: int, context: int, theta: float) -> None:
        super().__init__()
        frequencies = 1.0 / theta ** (torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)
        angles = torch.outer(torch.arange(context, dtype=torch.float32), frequencies)  # (context, k/2)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)

    def at(self, start: int, positions: int, padding_b: Tensor | None) -> tuple[Tensor, Tensor]:
        """Cosine and sine for positions start, start + 1, ..., counted in each row from the end of its padding."""
        if padding_b is None:
            return self.cos[start : start + positions], self.sin[start : start + positions]
        columns = torch.arange(start, start + positions, device=padding_b.device)
        position_bt = (columns - padding_b[:, None]).clamp(min=0)
        return self.cos[position_bt][:, None], self.sin[position_bt][:, None]


def rotate(x_bhtk: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x turned by its position; `cos` and `sin` broadcast to (b, h, t, k/2)."""
    left, right = x_bhtk.chunk(2, dim=-1)
    return torch.cat((left * cos - right * sin, right * cos + left * sin), dim=-1)
