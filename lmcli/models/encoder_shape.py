"""Sizes of BERT and of what followed it (no torch)."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, ClassVar, Self

from lmcli.errors import ConfigError
from lmcli.models.config import ModelConfig
from lmcli.models.shape import Shape, resolved_shape


@dataclass(frozen=True, kw_only=True)
class EncoderShape(Shape):
    """Biases everywhere, norms with gain and bias, learned positions, `types` vectors for segments."""

    ffn_matrices: ClassVar[int] = 2
    ffn_ratio: ClassVar[float] = 4.0

    types: int = 2
    norm_eps: float = 1e-12

    @property
    def table_width(self) -> int:
        """Of the vectors for tokens, positions and segments."""
        return self.width

    @property
    def position_rows(self) -> int:
        return self.context

    @property
    def block_parameters(self) -> int:
        """Of one block: matrices, their biases (4 + 1 of the width, 1 of the feed-forward layer), two norms."""
        return self.block_matmul_parameters + 9 * self.width + self.ffn

    @classmethod
    def resolved(cls, config: ModelConfig, vocab_size: int, **more: Any) -> Self:
        """The shape of a config without `auto`; ConfigError as `resolved_shape`, and for an output layer of its own."""
        plain = resolved_shape(config, vocab_size, rotary=False)
        if not plain.tie_embeddings:
            message = f"model.tie_embeddings = false: the output layer of {config.family} is its embedding"
            raise ConfigError(message, "leave model.tie_embeddings out")
        known = {field.name: getattr(plain, field.name) for field in fields(plain)}
        return cls(**{**known, "norm_eps": cls.norm_eps, **more})
