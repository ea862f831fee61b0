"""The decoder that transformers knows as Qwen3ForCausalLM. Shape suffixes as in attention.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from lmcli.models.config import ModelConfig
from lmcli.models.model import Names
from lmcli.models.norms import RMSNorm
from lmcli.models.qwen3_files import from_hf_config, hf_names, to_hf_config
from lmcli.models.rotary import Turn, normed_and_rotated
from lmcli.models.rotary_decoder import GatedBlock, RotaryAttention, RotaryDecoder
from lmcli.models.shape import Shape, resolved_shape


class Attention(RotaryAttention):
    """Queries and keys are normalised before they are turned."""

    def set_up_norms(self, shape: Shape) -> None:
        self.eps = shape.norm_eps
        self.q_norm = RMSNorm(shape.head_dim, shape.norm_eps)
        self.k_norm = RMSNorm(shape.head_dim, shape.norm_eps)

    def turned(self, q_hkbt: Tensor, k_gkbt: Tensor, turn: Turn) -> tuple[Tensor, Tensor]:
        q_bhtk = normed_and_rotated(q_hkbt, self.q_norm.weight, turn, self.eps)
        return q_bhtk, normed_and_rotated(k_gkbt, self.k_norm.weight, turn, self.eps)


class Qwen3(RotaryDecoder):
    """Rotary positions, RMSNorm before each half of a block, normalised queries and keys, SwiGLU, no biases.

    `dropout` acts on the embedding and on what each half of a block adds, in training mode only.
    """

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__(shape, dropout, RMSNorm(shape.width, shape.norm_eps))

    @staticmethod
    def block_of(shape: Shape, dropout: float) -> nn.Module:
        return GatedBlock(shape, dropout, Attention(shape))

    @classmethod
    def shape_of(cls, config: ModelConfig, vocab_size: int) -> Shape:
        return resolved_shape(config, vocab_size)

    @classmethod
    def shape_from_hf(cls, config: Mapping[str, Any], where: str) -> Shape:
        return from_hf_config(config, where)

    def hf_config(self, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
        return to_hf_config(self.shape, end_id=end_id, pad_id=pad_id, dtype=dtype)

    def hf_names(self) -> Names:
        return hf_names(self.shape)
