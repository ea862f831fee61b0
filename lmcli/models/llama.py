"""The decoder that transformers knows as LlamaForCausalLM. Shape suffixes as in attention.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, cast

from torch import Tensor, nn

from lmcli.models import llama_files
from lmcli.models.config import ModelConfig
from lmcli.models.llama_files import LlamaShape
from lmcli.models.model import Names
from lmcli.models.norms import RMSNorm
from lmcli.models.rotary import Rotary, Turn, rotated
from lmcli.models.rotary_decoder import GatedBlock, RotaryAttention, RotaryDecoder
from lmcli.models.shape import Shape, resolved_shape


class Attention(RotaryAttention):
    def turned(self, q_hkbt: Tensor, k_gkbt: Tensor, turn: Turn) -> tuple[Tensor, Tensor]:
        return rotated(q_hkbt, turn), rotated(k_gkbt, turn)


class Llama(RotaryDecoder):
    """Rotary positions, RMSNorm before each half of a block, SwiGLU, no biases (Touvron et al., 2023).

    Heads may share keys and values in groups (Ainslie et al., 2023), as from version 2 on. `dropout` acts on the
    embedding and on what each half of a block adds, in training mode only.
    """

    shape_type = LlamaShape

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__(shape, dropout, RMSNorm(shape.width, shape.norm_eps))

    @staticmethod
    def rotary_of(shape: Shape) -> Rotary:
        return Rotary(shape.head_dim, shape.context, shape.rope_theta, cast(LlamaShape, shape).stretch)

    @staticmethod
    def block_of(shape: Shape, dropout: float) -> nn.Module:
        return GatedBlock(shape, dropout, Attention(shape))

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
