"""What decoders with rotary positions have in common: the way through the blocks, and attention up to its rotation."""

from __future__ import annotations

from typing import ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmcli.models import rotary_files
from lmcli.models.attention import Cache, added, attend, padding_bias, sight_bias
from lmcli.models.decoder import Decoder
from lmcli.models.device import working
from lmcli.models.dropping import Dropout
from lmcli.models.initial import start_as_identity
from lmcli.models.layers import Linear, SwiGLU
from lmcli.models.model import Sight
from lmcli.models.norms import RMSNorm
from lmcli.models.rotary import Rotary, Turn
from lmcli.models.shape import Shape

View = tuple[bool, Tensor | None]
"""Whether no position sees a later one, and what is added to the scores."""


class RotaryAttention(nn.Module):
    """A family says how queries and keys are turned by their positions."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = shape.heads, shape.kv_heads, shape.head_dim
        self.qkv = Linear(shape.width, (shape.heads + 2 * shape.kv_heads) * shape.head_dim)
        self.set_up_norms(shape)
        self.out = Linear(shape.heads * shape.head_dim, shape.width)

    def set_up_norms(self, shape: Shape) -> None:
        """What queries and keys go through besides; nothing here."""

    def turned(self, q_hkbt: Tensor, k_gkbt: Tensor, turn: Turn) -> tuple[Tensor, Tensor]:
        """Queries (b, h, t, k) and keys (b, g, t, k)."""
        raise NotImplementedError

    def forward(self, x_btd: Tensor, turn: Turn, view: View, cache: Cache | None, layer: int) -> Tensor:
        heads_hkbt = self.qkv.channels_first(x_btd).view(-1, self.head_dim, *x_btd.shape[:2])
        q_hkbt, k_gkbt, v_gkbt = torch.split(heads_hkbt, [self.heads, self.kv_heads, self.kv_heads])
        q_bhtk, k_bgsk = self.turned(q_hkbt, k_gkbt, turn)
        v_bgsk = v_gkbt.permute(2, 0, 1, 3).contiguous().mT
        if cache is not None:
            k_bgsk, v_bgsk = cache.append(layer, k_bgsk, v_bgsk)
        causal, bias = view
        y_bhtk = attend(q_bhtk, k_bgsk, v_bgsk, scale=self.head_dim**-0.5, causal=causal, bias=bias)
        return self.out(y_bhtk.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class GatedBlock(nn.Module):
    """RMSNorm before attention and before SwiGLU; both add to what goes by."""

    def __init__(self, shape: Shape, dropout: float, attention: RotaryAttention) -> None:
        super().__init__()
        self.drop = Dropout(dropout)
        self.attention_norm = RMSNorm(shape.width, shape.norm_eps)
        self.attention = attention
        self.ffn_norm = RMSNorm(shape.width, shape.norm_eps)
        self.ffn = SwiGLU(shape.width, shape.ffn)

    def forward(self, x_btd: Tensor, turn: Turn, view: View, cache: Cache | None, layer: int) -> Tensor:
        x_btd = x_btd + self.drop(self.attention(self.attention_norm(x_btd), turn, view, cache, layer))
        return x_btd + self.drop(self.ffn(self.ffn_norm(x_btd)))


class RotaryDecoder(Decoder):
    """A family gives the last norm and says what a block is. `dropout` acts in training mode only."""

    settings = frozenset({"kv_heads", "rope_theta"})
    norms_embedding: ClassVar[bool] = False
    relative = True
    norm: nn.Module

    def __init__(self, shape: Shape, dropout: float, norm: nn.Module) -> None:
        super().__init__()
        self.shape = shape
        self.drop = Dropout(dropout)
        self.embedding = nn.Parameter(torch.empty(shape.vocab_size, shape.width))
        self.rotary = self.rotary_of(shape)
        self.blocks = nn.ModuleList(self.block_of(shape, dropout) for _ in range(shape.depth))
        self.norm = norm
        self.head = None if shape.tie_embeddings else nn.Parameter(torch.empty(shape.vocab_size, shape.width))

    @staticmethod
    def rotary_of(shape: Shape) -> Rotary:
        return Rotary(shape.head_dim, shape.context, shape.rope_theta)

    @staticmethod
    def block_of(shape: Shape, dropout: float) -> nn.Module:
        """Called with (x, turn, view, cache, layer)."""
        raise NotImplementedError

    def hidden(
        self, tokens_bt: Tensor, cache: Cache | None = None, padding_b: Tensor | None = None, sight: Sight = "left"
    ) -> Tensor:
        start, positions = cache.length if cache else 0, tokens_bt.shape[1]
        turn = self.rotary.at(start, positions, padding_b)
        causal, bias = sight_bias(sight, positions)
        view = causal, added(bias, padding_bias(padding_b, start + positions))
        x_btd = working(F.embedding(tokens_bt, self.embedding))
        x_btd = self.norm(x_btd) if self.norms_embedding else x_btd
        x_btd = self.drop(x_btd)
        for layer, block in enumerate(self.blocks):
            x_btd = self.through(block, x_btd, turn, view, cache, layer)
        if cache is not None:
            cache.advance(positions)
        return self.norm(x_btd)  # type: ignore[no-any-return]

    def initialise(self, seed: int) -> Self:
        start_as_identity(self, seed)
        return self

    def hf_repeats(self) -> dict[str, str]:
        return rotary_files.repeats(self.shape)

    def hf_prefix(self) -> str:
        return rotary_files.PREFIX
