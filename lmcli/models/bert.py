"""The encoder that transformers knows as BertForPreTraining. Shape suffixes as in attention.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmcli.models import bert_files, post_norm
from lmcli.models.config import ModelConfig
from lmcli.models.device import working
from lmcli.models.dropping import dropout
from lmcli.models.encoder import Encoder
from lmcli.models.encoder_shape import EncoderShape
from lmcli.models.heads import Head
from lmcli.models.layers import Linear
from lmcli.models.model import Names, Sight
from lmcli.models.norms import LayerNorm
from lmcli.models.shape import Shape


@dataclass(frozen=True, kw_only=True)
class BertShape(EncoderShape):
    @property
    def parameters(self) -> int:
        tables = (self.vocab_size + self.context + self.types + 2) * self.width  # 2: gain and bias of their norm
        tokens = self.width**2 + 3 * self.width + self.vocab_size
        pairs = self.width**2 + self.width + 2 * self.width + 2
        return self.depth * self.block_parameters + tables + tokens + pairs


class Bert(Encoder):
    """Learned positions and segments, a norm after each half of a block, GELU, biases (Devlin et al., 2018).

    `dropout` acts on the embedding and on what each half of a block adds, in training mode only.
    """

    heads = frozenset({"tokens", "pairs"})
    ties = True
    shape_type = BertShape

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape = shape
        self.dropout = dropout
        types = cast(BertShape, shape).types
        self.embedding = nn.Parameter(torch.empty(shape.vocab_size, shape.width))
        self.positions = nn.Parameter(torch.empty(shape.context, shape.width))
        self.types = nn.Parameter(torch.empty(types, shape.width))
        self.embedding_norm = LayerNorm(shape.width, shape.norm_eps)
        self.blocks = nn.ModuleList(post_norm.Block(shape, dropout) for _ in range(shape.depth))
        self.transform = Linear(shape.width, shape.width, bias=True)
        self.transform_norm = LayerNorm(shape.width, shape.norm_eps)
        self.bias = nn.Parameter(torch.empty(shape.vocab_size))
        self.pooler = Linear(shape.width, shape.width, bias=True)
        self.pair_head = nn.Parameter(torch.empty(2, shape.width))
        self.pair_bias = nn.Parameter(torch.empty(2))

    def hidden(
        self,
        tokens_bt: Tensor,
        real_bt: Tensor | None = None,
        types_bt: Tensor | None = None,
        sight: Sight = "both",
    ) -> Tensor:
        types = self.types[0] if types_bt is None else F.embedding(types_bt, self.types)
        x_btd = F.embedding(tokens_bt, self.embedding) + types + self.positions[: tokens_bt.shape[1]]
        x_btd = self.embedding_norm(working(x_btd))
        if self.training:
            x_btd = dropout(x_btd, self.dropout)
        return post_norm.through_blocks(self, x_btd, real_bt, sight)

    @property
    def output(self) -> Head:
        return Head(self.embedding, self.bias)

    def before_output(self, hidden: Tensor) -> Tensor:
        return self.transform_norm(F.gelu(self.transform(hidden)))  # type: ignore[no-any-return]

    def pair_logits(self, hidden_btd: Tensor) -> Tensor:
        pooled_bd = torch.tanh(self.pooler(hidden_btd[:, 0]))
        return F.linear(pooled_bd, self.pair_head, self.pair_bias).float()

    def initialise(self, seed: int) -> Self:
        post_norm.initialise(self, seed)
        return self

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

    def hf_ignored(self, name: str) -> bool:
        return bert_files.follows_from_config(name)

    def hf_renamed(self, name: str) -> str:
        return bert_files.renamed(name)
