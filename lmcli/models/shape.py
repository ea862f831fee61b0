"""The numbers that fix a decoder, and what follows from them by arithmetic alone (no torch: a planner tries many)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from lmcli.errors import ConfigError
from lmcli.models.config import ModelConfig


@dataclass(frozen=True, kw_only=True)
class Shape:
    vocab_size: int
    width: int
    depth: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    context: int
    rope_theta: float = 10_000.0
    norm_eps: float = 1e-6
    tie_embeddings: bool = True


def resolved_shape(config: ModelConfig, vocab_size: int) -> Shape:
    """The shape that a config without `auto` describes (`kv_heads` alone may be auto: as many as heads).

    Raises ConfigError for an `auto` left over or for heads that don't divide what they share.
    """
    for name in ("width", "depth", "heads", "ffn", "context", "tie_embeddings"):
        if getattr(config, name) == "auto":
            raise ConfigError(f"model.{name} is still auto", f"set model.{name} in lmcli.toml")
    width, heads = cast(int, config.width), cast(int, config.heads)
    kv_heads = heads if config.kv_heads == "auto" else config.kv_heads
    if width % heads or (width // heads) % 2:
        hint = f"take a width that is a multiple of {2 * heads}"
        raise ConfigError(f"model.width {width} can't be cut into {heads} heads of an even size", hint)
    if heads % kv_heads:
        hint = "take a number that divides model.heads"
        raise ConfigError(f"model.kv_heads {kv_heads} doesn't divide model.heads {heads}", hint)
    return Shape(
        vocab_size=vocab_size,
        width=width,
        depth=cast(int, config.depth),
        heads=heads,
        kv_heads=kv_heads,
        head_dim=width // heads,
        ffn=cast(int, config.ffn),
        context=cast(int, config.context),
        rope_theta=config.rope_theta,
        tie_embeddings=cast(bool, config.tie_embeddings),
    )


def block_matmul_parameters(shape: Shape) -> int:
    """Weights of one block that take part in matrix products: qkv, attention output, gate, up, down."""
    attention = shape.width * shape.head_dim * (2 * shape.heads + 2 * shape.kv_heads)
    return attention + 3 * shape.width * shape.ffn


def matmul_parameters(shape: Shape) -> int:
    """Weights that each token is multiplied with, the output layer included and the embedding look-up not."""
    return shape.depth * block_matmul_parameters(shape) + shape.vocab_size * shape.width


def parameters(shape: Shape) -> int:
    """All trained numbers; a tied embedding counts once."""
    norms = shape.depth * (2 * shape.width + 2 * shape.head_dim) + shape.width
    embedding = 0 if shape.tie_embeddings else shape.vocab_size * shape.width
    return matmul_parameters(shape) + norms + embedding


def flops_per_token(shape: Shape, context: int) -> int:
    """Floating point operations of one training token, forward and backward: 6 N + 12 L D T.

    The second term is attention over `context` positions without the saving of the causal mask, the convention of
    PaLM's appendix B (Chowdhery et al., 2022), with heads x head_dim for D.
    """
    return 6 * matmul_parameters(shape) + 12 * shape.depth * shape.heads * shape.head_dim * context
