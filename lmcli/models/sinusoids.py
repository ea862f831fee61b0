"""Positions as sines and cosines (Vaswani et al., 2017, section 3.5)."""

from __future__ import annotations

import torch
from torch import Tensor


def sinusoids(positions: int, width: int) -> Tensor:
    """(positions, width): channel 2i of position p is sin(p / 10000^(2i / width)), channel 2i + 1 its cosine."""
    channels = torch.arange(0, width, 2, dtype=torch.float32)
    angles = torch.outer(torch.arange(positions, dtype=torch.float32), 10_000.0 ** (-channels / width))
    return torch.stack((angles.sin(), angles.cos()), dim=2).flatten(1)[:, :width]
