"""The blocks of BERT and of what followed it: a norm after each sum. Shape suffixes as in attention.py."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmcli.models.attention import added, attend, real_bias, sight_bias
from lmcli.models.dropping import Dropout
from lmcli.models.layers import Linear
from lmcli.models.model import Model, Sight
from lmcli.models.norms import LayerNorm
from lmcli.models.shape import Shape

View = tuple[bool, Tensor | None]
"""Whether no position sees a later one, and what is added to the scores."""

TABLE_STD = 0.02


class Attention(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.head_dim = shape.heads, shape.head_dim
        self.qkv = Linear(shape.width, 3 * shape.width, bias=True)
        self.out = Linear(shape.width, shape.width, bias=True)

    def forward(self, x_btd: Tensor, view: View) -> Tensor:
        heads_btchk = self.qkv(x_btd).unflatten(2, (3, self.heads, self.head_dim))
        q_bhtk, k_bhtk, v_bhtk = heads_btchk.permute(2, 0, 3, 1, 4)
        causal, bias = view
        y_bhtk = attend(q_bhtk, k_bhtk, v_bhtk, scale=self.head_dim**-0.5, causal=causal, bias=bias)
        return self.out(y_bhtk.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """down(GELU(up(x))) with GELU by the error function (Hendrycks & Gimpel, 2016)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.up = Linear(shape.width, shape.ffn, bias=True)
        self.down = Linear(shape.ffn, shape.width, bias=True)

    def forward(self, x_btd: Tensor) -> Tensor:
        return self.down(F.gelu(self.up(x_btd)))  # type: ignore[no-any-return]


class Block(nn.Module):
    def __init__(self, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.drop = Dropout(dropout)
        self.attention = Attention(shape)
        self.attention_norm = LayerNorm(shape.width, shape.norm_eps)
        self.ffn = FeedForward(shape)
        self.ffn_norm = LayerNorm(shape.width, shape.norm_eps)

    def forward(self, x_btd: Tensor, view: View) -> Tensor:
        x_btd = self.attention_norm(x_btd + self.drop(self.attention(x_btd, view)))
        return self.ffn_norm(x_btd + self.drop(self.ffn(x_btd)))  # type: ignore[no-any-return]


def through_blocks(model: Model, x_btd: Tensor, real_bt: Tensor | None, sight: Sight) -> Tensor:
    """What the blocks of `model` make of embedded tokens; `real_bt` and `sight` as `Encoder.hidden` has them."""
    causal, bias = sight_bias(sight, x_btd.shape[1])
    view = causal, added(bias, real_bias(real_bt))
    for block in model.stacks[0]:
        x_btd = model.through(block, x_btd, view)
    return x_btd


@torch.no_grad()
def initialise(model: nn.Module, seed: int) -> None:
    """Gains one, biases zero, tables N(0, 0.02) as in BERT (`initializer_range` of the authors' code).

    Matrices have the standard deviation 1 / sqrt(3 x their shorter side): 0.021 at the width of BERT-base, where its
    authors took 0.02 too. With 0.02 at a width of 32, 400 steps on a few hundred words ended at 1.8 nats for each
    masked word, and with this rule at 1.2 (one seed). Those that end both halves of a block are zero, as in decoders.
    """
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        if name.endswith(("bias", "attention.out.weight", "ffn.down.weight")):
            parameter.zero_()
        elif name.endswith("norm.weight"):
            parameter.fill_(1.0)
        else:
            std = (3 * min(parameter.shape)) ** -0.5 if name.endswith(".weight") else TABLE_STD
            parameter.copy_(torch.empty(parameter.shape).normal_(0.0, std, generator=generator))
