"""The encoder that transformers knows as BertForPreTraining. Shape suffixes as in attention.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmcli.models import bert_files
from lmcli.models.config import ModelConfig
from lmcli.models.encoder_shape import EncoderShape
from lmcli.models.layers import Linear
from lmcli.models.model import Names
from lmcli.models.post_norm_encoder import MaskFiller
from lmcli.models.shape import Shape


@dataclass(frozen=True, kw_only=True)
class BertShape(EncoderShape):
    @property
    def parameters(self) -> int:
        tables = (self.vocab_size + self.context + self.types + 2) * self.width  # 2: gain and bias of their norm
        tokens = self.width**2 + 3 * self.width + self.vocab_size
        pairs = self.width**2 + self.width + 2 * self.width + 2
        return self.depth * self.block_parameters + tables + tokens + pairs


class Bert(MaskFiller):
    """With a head for pairs of segments, which reads the state of a row's first token (Devlin et al., 2018)."""

    heads = frozenset({"tokens", "pairs"})
    shape_type = BertShape

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__(shape, dropout)
        self.pooler = Linear(shape.width, shape.width, bias=True)
        self.pair_head = nn.Parameter(torch.empty(2, shape.width))
        self.pair_bias = nn.Parameter(torch.empty(2))

    def pair_logits(self, hidden_btd: Tensor) -> Tensor:
        pooled_bd = torch.tanh(self.pooler(hidden_btd[:, 0]))
        return F.linear(pooled_bd, self.pair_head, self.pair_bias).float()

    @classmethod
    def shape_of(cls, config: ModelConfig, vocab_size: int) -> Shape:
        return BertShape.resolved(config, vocab_size)

    @classmethod
    def shape_from_hf(cls, config: Mapping[str, Any], where: str) -> Shape:
        return BertShape(**bert_files.sizes(config, where))

    def hf_config(self, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
        shape = cast(BertShape, self.shape)
        own = {"architectures": ["BertForPreTraining"], "model_type": "bert", "pad_token_id": pad_id}
        return {**own, **bert_files.config(shape, dtype)}

    def hf_names(self) -> Names:
        shape = self.shape
        return bert_files.names(shape, "bert.", {**bert_files.EMBEDDINGS, **bert_files.HEADS})

    def hf_repeats(self) -> dict[str, str]:
        return bert_files.REPEATS

    def hf_prefix(self) -> str:
        return "bert."

    def hf_optional(self, name: str) -> bool:
        return name.startswith(("cls.", "bert.pooler."))
