"""The decoder that transformers knows as NanoChatForCausalLM. Shape suffixes as in attention.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from lmcli.models import rotary_files
from lmcli.models.attention import Cache, added, attend, padding_bias, sight_bias
from lmcli.models.config import ModelConfig
from lmcli.models.decoder import Decoder
from lmcli.models.device import working
from lmcli.models.dropping import dropout
from lmcli.models.heads import Head
from lmcli.models.hf_values import Fixed, check_fixed, number_of
from lmcli.models.initial import start_as_identity
from lmcli.models.layers import Linear
from lmcli.models.model import Names, Sight
from lmcli.models.norms import rms_norm
from lmcli.models.rotary import Rotary, Turn, normed_and_rotated
from lmcli.models.shape import Shape, resolved_shape

SOFTCAP = 15.0
CAP_KEY = "final_logit_softcapping"
BLOCK_NAMES = {
    **rotary_files.ATTENTION,
    "ffn.up.weight": ("mlp.fc1.weight",),
    "ffn.down.weight": ("mlp.fc2.weight",),
}
FIXED: Fixed = {
    "hidden_act": ("relu2", None),
    "attention_bias": (False, None),
    "partial_rotary_factor": (1.0, None),
    "quantization_config": (None,),
}

View = tuple[bool, Tensor | None]
"""Whether no position sees a later one, and what is added to the scores."""


@dataclass(frozen=True, kw_only=True)
class NanoChatShape(Shape):
    """Nothing is trained but matrices and the embedding."""

    ffn_matrices: ClassVar[int] = 2
    ffn_ratio: ClassVar[float] = 4.0

    softcap: float | None = SOFTCAP

    @property
    def parameters(self) -> int:
        """All trained numbers; a tied embedding counts once."""
        return self.matmul_parameters + (0 if self.tie_embeddings else self.vocab_size * self.width)


class Attention(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = shape.heads, shape.kv_heads, shape.head_dim
        self.eps = shape.norm_eps
        self.qkv = Linear(shape.width, (shape.heads + 2 * shape.kv_heads) * shape.head_dim)
        self.out = Linear(shape.heads * shape.head_dim, shape.width)

    def forward(self, x_btd: Tensor, turn: Turn, view: View, cache: Cache | None, layer: int) -> Tensor:
        heads_hkbt = self.qkv.channels_first(x_btd).view(-1, self.head_dim, *x_btd.shape[:2])
        q_hkbt, k_gkbt, v_gkbt = torch.split(heads_hkbt, [self.heads, self.kv_heads, self.kv_heads])
        # The norm has no gain, so that it may as well come before the rotation, which keeps lengths.
        q_bhtk = normed_and_rotated(q_hkbt, None, turn, self.eps)
        k_bgsk = normed_and_rotated(k_gkbt, None, turn, self.eps)
        v_bgsk = v_gkbt.permute(2, 0, 1, 3).contiguous().mT
        if cache is not None:
            k_bgsk, v_bgsk = cache.append(layer, k_bgsk, v_bgsk)
        causal, bias = view
        y_bhtk = attend(q_bhtk, k_bgsk, v_bgsk, scale=self.head_dim**-0.5, causal=causal, bias=bias)
        return self.out(y_bhtk.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """down(relu(up(x))^2) (So et al., 2021)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.up = Linear(shape.width, shape.ffn)
        self.down = Linear(shape.ffn, shape.width)

    def forward(self, x_btd: Tensor) -> Tensor:
        return self.down(F.relu(self.up(x_btd)).square())  # type: ignore[no-any-return]


class Block(nn.Module):
    def __init__(self, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.dropout, self.eps = dropout, shape.norm_eps
        self.attention = Attention(shape)
        self.ffn = FeedForward(shape)

    def forward(self, x_btd: Tensor, turn: Turn, view: View, cache: Cache | None, layer: int) -> Tensor:
        normed_btd = rms_norm(x_btd, None, self.eps)
        x_btd = x_btd + self._drop(self.attention(normed_btd, turn, view, cache, layer))
        return x_btd + self._drop(self.ffn(rms_norm(x_btd, None, self.eps)))

    def _drop(self, x_btd: Tensor) -> Tensor:
        return dropout(x_btd, self.dropout) if self.training else x_btd


class NanoChat(Decoder):
    """Rotary positions, norms without gains (of the embedding too), normalised queries and keys, ReLU squared.

    Logits are capped. `dropout` acts on the embedding and on what each half of a block adds, in training mode only.
    """

    settings = frozenset({"kv_heads", "rope_theta"})
    shape_type = NanoChatShape

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape = shape
        self.dropout = dropout
        self.embedding = nn.Parameter(torch.empty(shape.vocab_size, shape.width))
        self.rotary = Rotary(shape.head_dim, shape.context, shape.rope_theta)
        self.blocks = nn.ModuleList(Block(shape, dropout) for _ in range(shape.depth))
        self.head = None if shape.tie_embeddings else nn.Parameter(torch.empty(shape.vocab_size, shape.width))

    @property
    def output(self) -> Head:
        return Head(self.embedding if self.head is None else self.head, softcap=cast(NanoChatShape, self.shape).softcap)

    def hidden(
        self, tokens_bt: Tensor, cache: Cache | None = None, padding_b: Tensor | None = None, sight: Sight = "left"
    ) -> Tensor:
        start, positions = cache.length if cache else 0, tokens_bt.shape[1]
        cos, sin = self.rotary.at(start, positions, padding_b)
        turn = cos, -sin  # it turns the other way round than the rotary decoders of others
        causal, bias = sight_bias(sight, positions)
        view = causal, added(bias, padding_bias(padding_b, start + positions))
        x_btd = rms_norm(working(F.embedding(tokens_bt, self.embedding)), None, self.shape.norm_eps)
        if self.training:
            x_btd = dropout(x_btd, self.dropout)
        for layer, block in enumerate(self.blocks):
            if self.recompute and self.training and cache is None:
                x_btd = checkpoint(block, x_btd, turn, view, None, layer, use_reentrant=False)
            else:
                x_btd = block(x_btd, turn, view, cache, layer)
        if cache is not None:
            cache.advance(positions)
        return rms_norm(x_btd, None, self.shape.norm_eps)

    def initialise(self, seed: int) -> Self:
        start_as_identity(self, seed)
        return self

    @classmethod
    def shape_of(cls, config: ModelConfig, vocab_size: int) -> Shape:
        plain = resolved_shape(config, vocab_size)
        return NanoChatShape(**{field.name: getattr(plain, field.name) for field in fields(plain)})

    @classmethod
    def shape_from_hf(cls, config: Mapping[str, Any], where: str) -> Shape:
        check_fixed(config, FIXED, where)
        sizes = rotary_files.sizes(config, where, head_dim=rotary_files.usual_head_dim(config, where))
        capped = config.get(CAP_KEY, SOFTCAP) is not None
        return NanoChatShape(**sizes, softcap=number_of(config, CAP_KEY, where, SOFTCAP) if capped else None)

    def hf_config(self, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
        return {
            **rotary_files.config(self.shape, end_id=end_id, pad_id=pad_id, dtype=dtype),
            "architectures": ["NanoChatForCausalLM"],
            "model_type": "nanochat",
            "hidden_act": "relu2",
            CAP_KEY: cast(NanoChatShape, self.shape).softcap,
        }

    def hf_names(self) -> Names:
        return rotary_files.names(self.shape, BLOCK_NAMES, {})

    def hf_repeats(self) -> dict[str, str]:
        return rotary_files.repeats(self.shape)

    def hf_prefix(self) -> str:
        return rotary_files.PREFIX
