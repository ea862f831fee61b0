"""Sizes of a model with two stacks (no torch)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from lmcli.models.config import ModelConfig
from lmcli.models.shape import Shape, resolved_shape


@dataclass(frozen=True, kw_only=True)
class EncoderDecoderShape(Shape):
    """`depth` blocks read the source and `decoder_depth` write the target; each text has up to `context` tokens."""

    ffn_matrices: ClassVar[int] = 2
    ffn_ratio: ClassVar[float] = 4.0

    decoder_depth: int

    @property
    def decoder_block_matmul_parameters(self) -> int:
        """As those of an encoder's block, and an attention over the source."""
        return self.block_matmul_parameters + self.attention_parameters

    @property
    def hidden_matmul_parameters(self) -> int:
        return self.depth * self.block_matmul_parameters + self.decoder_depth * self.decoder_block_matmul_parameters

    @property
    def blocks(self) -> int:
        return self.depth + self.decoder_depth

    def flops_per_token(self, context: int) -> int:
        """As for one stack, 6 N + 12 L D T: each token counts as one that both stacks read, the decoder's twice over.

        A text that is cut into source and target takes less.
        """
        attentions = self.depth + 2 * self.decoder_depth
        return 6 * self.matmul_parameters + 12 * attentions * self.heads * self.head_dim * context

    @classmethod
    def resolved(cls, config: ModelConfig, vocab_size: int, **more: Any) -> Self:
        """The shape of a config without `auto` (a decoder that is auto is as deep as the encoder); ConfigError."""
        plain = resolved_shape(config, vocab_size, rotary=False)
        known = {field.name: getattr(plain, field.name) for field in fields(plain)}
        decoder = plain.depth if config.decoder_depth == "auto" else config.decoder_depth
        return cls(**{**known, "norm_eps": cls.norm_eps, "decoder_depth": decoder, **more})
