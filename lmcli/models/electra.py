"""The two encoders that transformers knows as ElectraForPreTraining and ElectraForMaskedLM (its generator).

Shape suffixes as in attention.py, and e for the width of the token vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmcli.models import bert_files, electra_files, post_norm
from lmcli.models.config import ModelConfig
from lmcli.models.device import working
from lmcli.models.dropping import dropout
from lmcli.models.electra_shape import ElectraShape, GeneratorShape
from lmcli.models.encoder import Encoder
from lmcli.models.heads import Head
from lmcli.models.layers import Linear
from lmcli.models.model import Model, Names, Sight
from lmcli.models.norms import LayerNorm
from lmcli.models.shape import Shape


class _Body(Encoder):
    """What both networks have: BERT, whose token vectors may be narrower than its blocks.

    `dropout` acts on the embedding and on what each half of a block adds, in training mode only.
    """

    ties = True

    def __init__(self, shape: Shape, dropout: float, tables: _Body | None = None) -> None:
        """`tables` is the network whose token, position and segment vectors, and their norm, this one shares."""
        super().__init__()
        own = cast(GeneratorShape, shape)
        self.shape = shape
        self.dropout = dropout
        if tables is None:
            self.embedding = nn.Parameter(torch.empty(shape.vocab_size, own.embedding_width))
            self.positions = nn.Parameter(torch.empty(shape.context, own.embedding_width))
            self.types = nn.Parameter(torch.empty(own.types, own.embedding_width))
            self.embedding_norm = LayerNorm(own.embedding_width, shape.norm_eps)
        else:
            self.embedding, self.positions, self.types = tables.embedding, tables.positions, tables.types
            self.embedding_norm = tables.embedding_norm
        self.project = Linear(own.embedding_width, shape.width, bias=True) if own.projection else nn.Identity()
        self.blocks = nn.ModuleList(post_norm.Block(shape, dropout) for _ in range(shape.depth))

    def hidden(
        self,
        tokens_bt: Tensor,
        real_bt: Tensor | None = None,
        types_bt: Tensor | None = None,
        sight: Sight = "both",
    ) -> Tensor:
        types = self.types[0] if types_bt is None else F.embedding(types_bt, self.types)
        x_bte = F.embedding(tokens_bt, self.embedding) + types + self.positions[: tokens_bt.shape[1]]
        x_bte = self.embedding_norm(working(x_bte))
        if self.training:
            x_bte = dropout(x_bte, self.dropout)
        return post_norm.through_blocks(self, self.project(x_bte), real_bt, sight)

    def initialise(self, seed: int) -> Self:
        post_norm.initialise(self, seed)
        return self

    def hf_prefix(self) -> str:
        return "electra."

    def hf_optional(self, name: str) -> bool:
        return not name.startswith("electra.")

    def hf_ignored(self, name: str) -> bool:
        return bert_files.follows_from_config(name)


class Generator(_Body):
    """Fills in masks: a small BERT. As a family of its own it is one that shares its vectors with nobody."""

    settings = frozenset({"embedding_width"})
    shape_type = GeneratorShape

    def __init__(self, shape: Shape, dropout: float = 0.0, tables: _Body | None = None) -> None:
        super().__init__(shape, dropout, tables)
        width = self.embedding.shape[1]
        self.transform = Linear(shape.width, width, bias=True)
        self.transform_norm = LayerNorm(width, shape.norm_eps)
        self.bias = nn.Parameter(torch.empty(shape.vocab_size))

    @property
    def output(self) -> Head:
        return Head(self.embedding, self.bias)

    def before_output(self, hidden: Tensor) -> Tensor:
        return self.transform_norm(F.gelu(self.transform(hidden)))  # type: ignore[no-any-return]

    @classmethod
    def shape_of(cls, config: ModelConfig, vocab_size: int) -> Shape:
        return electra_files.without_generator(ElectraShape.of(config, vocab_size))

    @classmethod
    def shape_from_hf(cls, config: Mapping[str, Any], where: str) -> Shape:
        return GeneratorShape(**electra_files.sizes(config, where))

    def hf_config(self, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
        own = electra_files.config(cast(GeneratorShape, self.shape), dtype)
        return {**own, "architectures": ["ElectraForMaskedLM"], "pad_token_id": pad_id}

    def hf_names(self) -> Names:
        return electra_files.names(cast(GeneratorShape, self.shape), electra_files.GENERATOR)

    def hf_repeats(self) -> dict[str, str]:
        return electra_files.REPEATS


class Electra(_Body):
    """Says of every token whether it was replaced, and brings the generator that replaces them (Clark et al., 2020).

    As in the authors' code both share their token, position and segment vectors and the norm of these.
    """

    objective = "replaced"
    heads = frozenset({"replaced"})
    settings = frozenset({"embedding_width", "generator_share"})
    shape_type = ElectraShape

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__(shape, dropout)
        self.transform = Linear(shape.width, shape.width, bias=True)
        self.replaced_head = nn.Parameter(torch.empty(1, shape.width))
        self.replaced_bias = nn.Parameter(torch.empty(1))
        self.generator = Generator(cast(ElectraShape, shape).generator, dropout, tables=self)

    def replaced_logits(self, hidden: Tensor) -> Tensor:
        """(...,) from (..., d), float32: above 0 where the token is more likely replaced than not."""
        inner = F.gelu(self.transform(hidden))
        return F.linear(inner, self.replaced_head, self.replaced_bias).squeeze(-1).float()

    @classmethod
    def of_hf(cls, config: Mapping[str, Any]) -> type[Model]:
        return Generator if "ElectraForMaskedLM" in (config.get("architectures") or ()) else cls

    @classmethod
    def shape_of(cls, config: ModelConfig, vocab_size: int) -> Shape:
        return ElectraShape.of(config, vocab_size)

    @classmethod
    def shape_from_hf(cls, config: Mapping[str, Any], where: str) -> Shape:
        return ElectraShape(**{**electra_files.sizes(config, where), **electra_files.generator_sizes(config, where)})

    def hf_config(self, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
        shape = cast(ElectraShape, self.shape)
        own = {**electra_files.config(shape, dtype), **electra_files.generator_config(shape)}
        return {**own, "architectures": ["ElectraForPreTraining"], "pad_token_id": pad_id}

    def hf_names(self) -> Names:
        return electra_files.names(cast(GeneratorShape, self.shape), electra_files.DISCRIMINATOR)

    def companions(self) -> Mapping[str, Model]:
        return {"generator": self.generator}
