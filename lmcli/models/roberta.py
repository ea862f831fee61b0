"""The encoder that transformers knows as RobertaForMaskedLM. Shape suffixes as in attention.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmcli.errors import ArtifactError
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

HEADS = {
    "transform.weight": "lm_head.dense.weight",
    "transform.bias": "lm_head.dense.bias",
    "transform_norm.weight": "lm_head.layer_norm.weight",
    "transform_norm.bias": "lm_head.layer_norm.bias",
    "bias": "lm_head.bias",
}
REPEATS = {
    "lm_head.decoder.weight": "roberta.embeddings.word_embeddings.weight",
    "lm_head.decoder.bias": "lm_head.bias",
}


@dataclass(frozen=True, kw_only=True)
class RobertaShape(EncoderShape):
    """Position numbers begin behind `padding`, the token that has no position; `context` leaves those rows out."""

    types: int = 1
    padding: int = 1

    @property
    def position_rows(self) -> int:
        return self.context + self.padding + 1

    @property
    def parameters(self) -> int:
        tables = (self.vocab_size + self.position_rows + self.types + 2) * self.width  # 2: gain and bias of their norm
        tokens = self.width**2 + 3 * self.width + self.vocab_size
        return self.depth * self.block_parameters + tables + tokens


class Roberta(Encoder):
    """BERT without segments and pairs (Liu et al., 2019). Token 1, its padding, counts as no position of a text.

    `dropout` acts on the embedding and on what each half of a block adds, in training mode only.
    """

    ties = True
    shape_type = RobertaShape

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape = shape
        self.dropout = dropout
        own = cast(RobertaShape, shape)
        self.embedding = nn.Parameter(torch.empty(shape.vocab_size, shape.width))
        self.positions = nn.Parameter(torch.empty(own.position_rows, shape.width))
        self.types = nn.Parameter(torch.empty(own.types, shape.width))
        self.embedding_norm = LayerNorm(shape.width, shape.norm_eps)
        self.blocks = nn.ModuleList(post_norm.Block(shape, dropout) for _ in range(shape.depth))
        self.transform = Linear(shape.width, shape.width, bias=True)
        self.transform_norm = LayerNorm(shape.width, shape.norm_eps)
        self.bias = nn.Parameter(torch.empty(shape.vocab_size))

    def hidden(
        self,
        tokens_bt: Tensor,
        real_bt: Tensor | None = None,
        types_bt: Tensor | None = None,
        sight: Sight = "both",
    ) -> Tensor:
        if types_bt is not None:
            raise ValueError("RoBERTa tells no segments apart")
        x_btd = F.embedding(tokens_bt, self.embedding) + self.types[0] + self._positions(tokens_bt)
        x_btd = self.embedding_norm(working(x_btd))
        if self.training:
            x_btd = dropout(x_btd, self.dropout)
        return post_norm.through_blocks(self, x_btd, real_bt, sight)

    def _positions(self, tokens_bt: Tensor) -> Tensor:
        """Vectors (b, t, d) of the first, second ... token that isn't padding, as `transformers` counts them."""
        padding = cast(RobertaShape, self.shape).padding
        counted_bt = (tokens_bt != padding).long()
        return F.embedding(counted_bt.cumsum(1) * counted_bt + padding, self.positions)

    @property
    def output(self) -> Head:
        return Head(self.embedding, self.bias)

    def before_output(self, hidden: Tensor) -> Tensor:
        return self.transform_norm(F.gelu(self.transform(hidden)))  # type: ignore[no-any-return]

    def initialise(self, seed: int) -> Self:
        post_norm.initialise(self, seed)
        return self

    @classmethod
    def shape_of(cls, config: ModelConfig, vocab_size: int) -> Shape:
        return RobertaShape.resolved(config, vocab_size)

    @classmethod
    def shape_from_hf(cls, config: Mapping[str, Any], where: str) -> Shape:
        sizes = bert_files.sizes(config, where)
        padding = config.get("pad_token_id", 1)
        if type(padding) is not int or not 0 <= padding < sizes["context"] - 1:
            hint = "it has to be less than max_position_embeddings - 1"
            raise ArtifactError(f"{where}: pad_token_id = {padding!r} is not possible", hint)
        return RobertaShape(**{**sizes, "context": sizes["context"] - padding - 1}, padding=padding)

    def hf_config(self, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
        shape = cast(RobertaShape, self.shape)
        return {
            **bert_files.config(shape, dtype),
            "architectures": ["RobertaForMaskedLM"],
            "model_type": "roberta",
            "max_position_embeddings": shape.position_rows,
            "pad_token_id": shape.padding,  # the one that positions follow, whatever fills the batches
            "bos_token_id": end_id,
            "eos_token_id": end_id,
        }

    def hf_names(self) -> Names:
        return bert_files.names(self.shape, "roberta.", {**bert_files.EMBEDDINGS, **HEADS})

    def hf_repeats(self) -> dict[str, str]:
        return REPEATS

    def hf_prefix(self) -> str:
        return "roberta."

    def hf_optional(self, name: str) -> bool:
        return name.startswith("lm_head.")

    def hf_ignored(self, name: str) -> bool:
        """The pooler too: RoBERTa's was never trained."""
        return bert_files.follows_from_config(name) or name.startswith(("pooler.", "roberta.pooler."))

    def hf_renamed(self, name: str) -> str:
        return bert_files.renamed(name)
