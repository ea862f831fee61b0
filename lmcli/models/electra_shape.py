"""Sizes of ELECTRA's two networks (no torch)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Self

from lmcli.models.config import ModelConfig
from lmcli.models.encoder_shape import EncoderShape
from lmcli.models.shape import Shape

SMALL_EMBEDDING = 128
SMALL_WIDTH = 256


@dataclass(frozen=True, kw_only=True)
class GeneratorShape(EncoderShape):
    """Of a network that fills in masks. Token vectors are `embedding_width` wide, whatever the width of the blocks."""

    embedding_width: int

    @property
    def table_width(self) -> int:
        return self.embedding_width

    @property
    def projection(self) -> int:
        """Weights between the token vectors and the blocks."""
        return 0 if self.embedding_width == self.width else (self.embedding_width + 1) * self.width

    @property
    def tables(self) -> int:
        """Token, position and segment vectors with their norm."""
        return (self.vocab_size + self.context + self.types + 2) * self.embedding_width

    @property
    def matmul_parameters(self) -> int:
        return self.depth * self.block_matmul_parameters + self.vocab_size * self.embedding_width

    @property
    def parameters(self) -> int:
        head = (self.width + 3) * self.embedding_width + self.vocab_size
        return self.tables + self.projection + self.depth * self.block_parameters + head


@dataclass(frozen=True, kw_only=True)
class ElectraShape(GeneratorShape):
    """Of the network that finds what was replaced, with the generator's width, heads and feed-forward size."""

    generator_width: int
    generator_heads: int
    generator_ffn: int

    @classmethod
    def of(cls, config: ModelConfig, vocab_size: int) -> Self:
        """The shape of a config without `auto`; that of the token vectors alone may be left.

        As in ELECTRA (Clark et al., 2020, appendix A), the generator has the same depth, and a share of the width,
        heads and feed-forward size; the token vectors of small models are at most 128 wide, those of others as wide as
        the blocks.
        """
        plain = EncoderShape.resolved(config, vocab_size)
        known: dict[str, Any] = {field.name: getattr(plain, field.name) for field in fields(plain)}
        width = plain.width
        if config.embedding_width == "auto":
            embedding = min(width, SMALL_EMBEDDING) if width <= SMALL_WIDTH else width
        else:
            embedding = config.embedding_width
        known |= generator_sizes(width, plain.heads, plain.ffn, config)
        return cls(**known, embedding_width=embedding)

    @property
    def generator(self) -> GeneratorShape:
        names = [field.name for field in fields(GeneratorShape)]
        own = {name: getattr(self, name) for name in names}
        width, heads = self.generator_width, self.generator_heads
        sizes = {"width": width, "heads": heads, "kv_heads": heads, "head_dim": width // heads}
        return GeneratorShape(**{**own, **sizes, "ffn": self.generator_ffn})

    @property
    def networks(self) -> tuple[Shape, ...]:
        return self.generator, self

    @property
    def matmul_parameters(self) -> int:
        return self.depth * self.block_matmul_parameters + self.width**2 + self.generator.matmul_parameters

    @property
    def parameters(self) -> int:
        head = self.width**2 + 2 * self.width + 1
        shared = self.tables
        own = shared + self.projection + self.depth * self.block_parameters + head
        return own + self.generator.parameters - shared

    def flops_per_token(self, context: int) -> int:
        """Of both networks."""
        generator = 12 * self.depth * self.generator_width * context
        return super().flops_per_token(context) + generator


def generator_sizes(width: int, heads: int, ffn: int, config: ModelConfig) -> dict[str, int]:
    """`config.generator_share` of each size, with at least one head, which divides the width."""
    share = config.generator_share
    fewer = max(1, round(heads * share))
    return {
        "generator_width": max(1, round(width * share / fewer)) * fewer,
        "generator_heads": fewer,
        "generator_ffn": max(1, round(ffn * share)),
    }
