"""The decoder that transformers knows as NanoChatForCausalLM. Shape suffixes as in attention.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, cast

import torch.nn.functional as F
from torch import Tensor, nn

from lmcli.models import rotary_files
from lmcli.models.attention import Cache
from lmcli.models.config import ModelConfig
from lmcli.models.dropping import Dropout
from lmcli.models.heads import Head
from lmcli.models.hf_values import Fixed, check_fixed, number_of
from lmcli.models.layers import Linear
from lmcli.models.model import Names
from lmcli.models.norms import rms_norm
from lmcli.models.rotary import Turn, normed_and_rotated
from lmcli.models.rotary_decoder import RotaryAttention, RotaryDecoder, View
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


class Attention(RotaryAttention):
    """Queries and keys are normalised, and turn the other way round than in the rotary decoders of others."""

    def set_up_norms(self, shape: Shape) -> None:
        self.eps = shape.norm_eps

    def turned(self, q_hkbt: Tensor, k_gkbt: Tensor, turn: Turn) -> tuple[Tensor, Tensor]:
        back = turn[0], -turn[1]
        # The norm has no gain, so that it may as well come before the rotation, which keeps lengths.
        return normed_and_rotated(q_hkbt, None, back, self.eps), normed_and_rotated(k_gkbt, None, back, self.eps)


class Norm(nn.Module):
    """RMSNorm without a gain."""

    def __init__(self, eps: float) -> None:
        super().__init__()
        self.eps = eps

    def forward(self, x_btd: Tensor) -> Tensor:
        return rms_norm(x_btd, None, self.eps)


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
        self.eps = shape.norm_eps
        self.drop = Dropout(dropout)
        self.attention = Attention(shape)
        self.ffn = FeedForward(shape)

    def forward(self, x_btd: Tensor, turn: Turn, view: View, cache: Cache | None, layer: int) -> Tensor:
        normed_btd = rms_norm(x_btd, None, self.eps)
        x_btd = x_btd + self.drop(self.attention(normed_btd, turn, view, cache, layer))
        return x_btd + self.drop(self.ffn(rms_norm(x_btd, None, self.eps)))


class NanoChat(RotaryDecoder):
    """Rotary positions, norms without gains (of the embedding too), normalised queries and keys, ReLU squared.

    Logits are capped. `dropout` acts on the embedding and on what each half of a block adds, in training mode only.
    """

    shape_type = NanoChatShape
    norms_embedding = True

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__(shape, dropout, Norm(shape.norm_eps))

    @staticmethod
    def block_of(shape: Shape, dropout: float) -> nn.Module:
        return Block(shape, dropout)

    @property
    def output(self) -> Head:
        return Head(self.embedding if self.head is None else self.head, softcap=cast(NanoChatShape, self.shape).softcap)

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
