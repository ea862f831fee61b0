"""Sizes of the LSTM families, and their config.json (no torch). transformers has no class that computes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, cast

from lmcli.errors import ArtifactError, ConfigError
from lmcli.models.config import ModelConfig
from lmcli.models.hf_values import depth_of, flag_of, size_of
from lmcli.models.shape import Shape

GATES = 4
"""Input gate, forget gate, candidate and output gate."""
SIZES = {"vocab_size": "vocab_size", "width": "hidden_size", "context": "max_position_embeddings"}


@dataclass(frozen=True, kw_only=True)
class LstmShape(Shape):
    """Of a language model whose layers are as wide as its embedding. There are no heads, and `ffn` is the gates."""

    ffn_matrices: ClassVar[int] = 2
    """Those from the layer below and from the state before."""
    most_layers: ClassVar[int | None] = 2
    """Zaremba et al. (2014) took two from 4.6 million weights to 66; what a budget allows beyond goes into width."""

    heads: int = 0
    kv_heads: int = 0
    head_dim: int = 0

    @property
    def block_matmul_parameters(self) -> int:
        return 2 * GATES * self.width**2

    @property
    def parameters(self) -> int:
        biases = self.depth * GATES * self.width
        embedding = 0 if self.tie_embeddings else self.vocab_size * self.width
        return self.matmul_parameters + biases + embedding

    def flops_per_token(self, context: int) -> int:
        return 6 * self.matmul_parameters

    @classmethod
    def resolved(cls, config: ModelConfig, vocab_size: int, **more: Any) -> Self:
        """The shape of a config without `auto`. Raises ConfigError for one that is left."""
        for name in ("width", "depth", "context", "tie_embeddings"):
            if getattr(config, name) == "auto":
                raise ConfigError(f"model.{name} is still auto", f"set model.{name} in lmcli.toml")
        width = cast(int, config.width)
        return cls(
            vocab_size=vocab_size,
            width=width,
            depth=cast(int, config.depth),
            ffn=GATES * width,
            context=cast(int, config.context),
            tie_embeddings=cast(bool, config.tie_embeddings),
            **more,
        )

    @classmethod
    def from_config(cls, config: Mapping[str, Any], where: str) -> Self:
        sizes = {field: size_of(config, key, where) for field, key in SIZES.items()}
        depth = depth_of(config, "num_hidden_layers", where)
        tied = flag_of(config, "tie_word_embeddings", where, False)
        return cls(**sizes, depth=depth, ffn=GATES * sizes["width"], tie_embeddings=tied)

    def to_config(self, model_type: str, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
        return {
            "architectures": None,
            "model_type": model_type,
            **{key: getattr(self, field) for field, key in SIZES.items()},
            "num_hidden_layers": self.depth,
            "tie_word_embeddings": self.tie_embeddings,
            "bos_token_id": end_id,
            "eos_token_id": end_id,
            "pad_token_id": pad_id,
            "dtype": dtype,
            "torch_dtype": dtype,
        }


@dataclass(frozen=True, kw_only=True)
class LstmPairShape(LstmShape):
    """Of an encoder that reads both ways, `depth` layers, and a decoder that looks at all of its states."""

    decoder_depth: int

    @property
    def matmul_parameters(self) -> int:
        """Each token passes one of the two stacks, and is counted for both."""
        return self.encoder_parameters + self.decoder_parameters + self.vocab_size * self.width

    @property
    def encoder_parameters(self) -> int:
        """Matrices: two directions of half the width in each layer, from the whole width below."""
        return self.depth * 3 * GATES * self.width**2 // 2

    @property
    def decoder_parameters(self) -> int:
        """Matrices: layers, queries, what joins state and context, and the start of each layer."""
        return self.decoder_depth * self.block_matmul_parameters + (6 + self.decoder_depth) * self.width**2 // 2

    @property
    def parameters(self) -> int:
        biases = (self.depth + self.decoder_depth) * GATES * self.width
        embedding = 0 if self.tie_embeddings else self.vocab_size * self.width
        return self.matmul_parameters + biases + embedding

    def flops_per_token(self, context: int) -> int:
        """With the attention over `context` states, counted as in a decoder."""
        return 6 * self.matmul_parameters + 12 * self.width * context

    @classmethod
    def resolved(cls, config: ModelConfig, vocab_size: int, **more: Any) -> Self:
        """As that of the language model; ConfigError too for a width that two directions can't share."""
        if isinstance(config.width, int) and config.width % 2:
            raise ConfigError(f"model.width {config.width} is odd", "two directions share it: take an even one")
        depth = config.depth if config.decoder_depth == "auto" else config.decoder_depth
        return super().resolved(config, vocab_size, decoder_depth=depth, **more)

    @classmethod
    def from_config(cls, config: Mapping[str, Any], where: str) -> Self:
        plain = LstmShape.from_config(config, where)
        if plain.width % 2:
            raise ArtifactError(f"{where}: hidden_size = {plain.width} is not possible", "an even number")
        decoder_depth = depth_of(config, "decoder_layers", where)
        return cls(**{**vars(plain), "decoder_depth": decoder_depth})

    def to_config(self, model_type: str, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
        config = super().to_config(model_type, end_id=end_id, pad_id=pad_id, dtype=dtype)
        return {
            **config,
            "decoder_layers": self.decoder_depth,
            "is_encoder_decoder": True,
            "decoder_start_token_id": pad_id,
        }
