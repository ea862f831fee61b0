"""The two encoders that transformers knows as ElectraForPreTraining and ElectraForMaskedLM (its generator).

Shape suffixes as in attention.py, and e for the width of the token vectors.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmcli.models import electra_files
from lmcli.models.config import ModelConfig
from lmcli.models.electra_shape import ElectraShape, GeneratorShape
from lmcli.models.layers import Linear
from lmcli.models.model import Model, Names
from lmcli.models.post_norm_encoder import MaskFiller, PostNormEncoder
from lmcli.models.shape import Shape


class _Body(PostNormEncoder):
    """What both networks are: BERT, whose token vectors may be narrower than its blocks."""

    def hf_prefix(self) -> str:
        return "electra."

    def hf_optional(self, name: str) -> bool:
        return not name.startswith("electra.")


class Generator(_Body, MaskFiller):
    """Fills in masks: a small BERT. As a family of its own it is one that shares its vectors with nobody."""

    settings = frozenset({"embedding_width"})
    shape_type = GeneratorShape

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

    def initialise(self, seed: int) -> Self:
        super().initialise(seed)
        self.generator.look_around()
        return self

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
