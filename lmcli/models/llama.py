"""The decoder that transformers knows as LlamaForCausalLM. Shape suffixes as in attention.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lmcli.models import llama_files, rotary_files
from lmcli.models.attention import Cache, added, attend, padding_bias, sight_bias
from lmcli.models.config import ModelConfig
from lmcli.models.decoder import Decoder
from lmcli.models.device import working
from lmcli.models.dropping import dropout
from lmcli.models.initial import start_as_identity
from lmcli.models.layers import Linear, SwiGLU
from lmcli.models.llama_files import LlamaShape
from lmcli.models.model import Names, Sight
from lmcli.models.norms import RMSNorm
from lmcli.models.rotary import Rotary, Turn, rotated
from lmcli.models.shape import Shape, resolved_shape

View = tuple[bool, Tensor | None]
"""Whether no position sees a later one, and what is added to the scores."""


class Attention(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = shape.heads, shape.kv_heads, shape.head_dim
        self.qkv = Linear(shape.width, (shape.heads + 2 * shape.kv_heads) * shape.head_dim)
        self.out = Linear(shape.heads * shape.head_dim, shape.width)

    def forward(self, x_btd: Tensor, turn: Turn, view: View, cache: Cache | None, layer: int) -> Tensor:
        heads_hkbt = self.qkv.channels_first(x_btd).view(-1, self.head_dim, *x_btd.shape[:2])
        q_hkbt, k_gkbt, v_gkbt = torch.split(heads_hkbt, [self.heads, self.kv_heads, self.kv_heads])
        q_bhtk, k_bgsk = rotated(q_hkbt, turn), rotated(k_gkbt, turn)
        v_bgsk = v_gkbt.permute(2, 0, 1, 3).contiguous().mT
        if cache is not None:
            k_bgsk, v_bgsk = cache.append(layer, k_bgsk, v_bgsk)
        causal, bias = view
        y_bhtk = attend(q_bhtk, k_bgsk, v_bgsk, scale=self.head_dim**-0.5, causal=causal, bias=bias)
        return self.out(y_bhtk.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class Block(nn.Module):
    def __init__(self, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.dropout = dropout
        self.attention_norm = RMSNorm(shape.width, shape.norm_eps)
        self.attention = Attention(shape)
        self.ffn_norm = RMSNorm(shape.width, shape.norm_eps)
        self.ffn = SwiGLU(shape.width, shape.ffn)

    def forward(self, x_btd: Tensor, turn: Turn, view: View, cache: Cache | None, layer: int) -> Tensor:
        x_btd = x_btd + self._drop(self.attention(self.attention_norm(x_btd), turn, view, cache, layer))
        return x_btd + self._drop(self.ffn(self.ffn_norm(x_btd)))

    def _drop(self, x_btd: Tensor) -> Tensor:
        return dropout(x_btd, self.dropout) if self.training else x_btd


class Llama(Decoder):
    """Rotary positions, RMSNorm before each half of a block, SwiGLU, no biases (Touvron et al., 2023).

    Heads may share keys and values in groups (Ainslie et al., 2023), as from version 2 on. `dropout` acts on the
    embedding and on what each half of a block adds, in training mode only.
    """

    settings = frozenset({"kv_heads", "rope_theta"})
    shape_type = LlamaShape

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape = shape
        self.dropout = dropout
        self.embedding = nn.Parameter(torch.empty(shape.vocab_size, shape.width))
        self.rotary = Rotary(shape.head_dim, shape.context, shape.rope_theta, cast(LlamaShape, shape).stretch)
        self.blocks = nn.ModuleList(Block(shape, dropout) for _ in range(shape.depth))
        self.norm = RMSNorm(shape.width, shape.norm_eps)
        self.head = None if shape.tie_embeddings else nn.Parameter(torch.empty(shape.vocab_size, shape.width))

    def hidden(
        self, tokens_bt: Tensor, cache: Cache | None = None, padding_b: Tensor | None = None, sight: Sight = "left"
    ) -> Tensor:
        start, positions = cache.length if cache else 0, tokens_bt.shape[1]
        turn = self.rotary.at(start, positions, padding_b)
        causal, bias = sight_bias(sight, positions)
        view = causal, added(bias, padding_bias(padding_b, start + positions))
        x_btd = working(F.embedding(tokens_bt, self.embedding))
        if self.training:
            x_btd = dropout(x_btd, self.dropout)
        for layer, block in enumerate(self.blocks):
            if self.recompute and self.training and cache is None:
                x_btd = checkpoint(block, x_btd, turn, view, None, layer, use_reentrant=False)
            else:
                x_btd = block(x_btd, turn, view, cache, layer)
        if cache is not None:
            cache.advance(positions)
        return self.norm(x_btd)  # type: ignore[no-any-return]

    def initialise(self, seed: int) -> Self:
        start_as_identity(self, seed)
        return self

    @classmethod
    def shape_of(cls, config: ModelConfig, vocab_size: int) -> Shape:
        plain = resolved_shape(config, vocab_size)
        return LlamaShape(**{field.name: getattr(plain, field.name) for field in fields(plain)})

    @classmethod
    def shape_from_hf(cls, config: Mapping[str, Any], where: str) -> Shape:
        return llama_files.from_hf_config(config, where)

    def hf_config(self, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
        return llama_files.to_hf_config(cast(LlamaShape, self.shape), end_id=end_id, pad_id=pad_id, dtype=dtype)

    def hf_names(self) -> Names:
        return llama_files.hf_names(self.shape)

    def hf_repeats(self) -> dict[str, str]:
        return rotary_files.repeats(self.shape)

    def hf_prefix(self) -> str:
        return rotary_files.PREFIX
