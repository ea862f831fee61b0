"""The numbers that fix a model, and what follows from them by arithmetic alone (no torch: a planner tries many)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

from lmcli.errors import ConfigError
from lmcli.models.config import ModelConfig


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Of a decoder with gated feed-forward layers; other families override what they count differently."""

    ffn_matrices: ClassVar[int] = 3
    """Matrices of (width, ffn) in a feed-forward layer: gate, up and down."""
    ffn_ratio: ClassVar[float] = 8 / 3
    """Inner size of the feed-forward layer for each channel of width, where the planner chooses."""

    most_layers: ClassVar[int | None] = None
    """Depth beyond which the planner doesn't go."""

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

    @property
    def attention_parameters(self) -> int:
        """Weights of one attention: queries, keys, values and output."""
        return self.width * self.head_dim * (2 * self.heads + 2 * self.kv_heads)

    @property
    def block_matmul_parameters(self) -> int:
        """Weights of one block that take part in matrix products."""
        return self.attention_parameters + self.ffn_matrices * self.width * self.ffn

    @property
    def hidden_matmul_parameters(self) -> int:
        """Weights of all blocks that take part in matrix products."""
        return self.depth * self.block_matmul_parameters

    @property
    def blocks(self) -> int:
        """Of all stacks."""
        return self.depth

    @property
    def networks(self) -> tuple[Shape, ...]:
        """What a training step goes through, one after the other: this model alone, in most families."""
        return (self,)

    @property
    def biased_heads(self) -> int:
        """Heads of a block whose scores get a bias that is trained, for which a step keeps all of them."""
        return 0

    @property
    def matmul_parameters(self) -> int:
        """Weights that each token is multiplied with, the output layer included and the embedding look-up not."""
        return self.hidden_matmul_parameters + self.vocab_size * self.width

    @property
    def parameters(self) -> int:
        """All trained numbers; a tied embedding counts once."""
        norms = self.depth * (2 * self.width + 2 * self.head_dim) + self.width
        embedding = 0 if self.tie_embeddings else self.vocab_size * self.width
        return self.matmul_parameters + norms + embedding

    def flops_per_token(self, context: int) -> int:
        """Floating point operations of one training token, forward and backward: 6 N + 12 L D T.

        The second term is attention over `context` positions without the saving of the causal mask, the convention of
        PaLM's appendix B (Chowdhery et al., 2022), with heads x head_dim for D.
        """
        return 6 * self.matmul_parameters + 12 * self.depth * self.heads * self.head_dim * context


def resolved_shape(config: ModelConfig, vocab_size: int, *, rotary: bool = True) -> Shape:
    """The shape that a config without `auto` describes (`kv_heads` alone may be auto: as many as heads).

    `rotary` positions turn the channels of a head in pairs, so that their number must be even.
    Raises ConfigError for an `auto` left over or for heads that don't divide what they share.
    """
    for name in ("width", "depth", "heads", "ffn", "context", "tie_embeddings"):
        if getattr(config, name) == "auto":
            raise ConfigError(f"model.{name} is still auto", f"set model.{name} in lmcli.toml")
    width, heads = cast(int, config.width), cast(int, config.heads)
    kv_heads = heads if config.kv_heads == "auto" else config.kv_heads
    unit = 2 * heads if rotary else heads
    if width % unit:
        size = "an even" if rotary else "equal"
        hint = f"take a width that is a multiple of {unit}"
        raise ConfigError(f"model.width {width} can't be cut into {heads} heads of {size} size", hint)
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
