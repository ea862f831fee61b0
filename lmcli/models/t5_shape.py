"""Sizes of T5 (no torch)."""

from __future__ import annotations

from dataclasses import dataclass

from lmcli.models.encoder_decoder_shape import EncoderDecoderShape


@dataclass(frozen=True, kw_only=True)
class T5Shape(EncoderDecoderShape):
    """`gated` feed-forward layers have a third matrix; distances fall into `buckets`, the last from `farthest` on."""

    gated: bool = False
    buckets: int = 32
    farthest: int = 128

    @property
    def block_matmul_parameters(self) -> int:
        return self.attention_parameters + (3 if self.gated else 2) * self.width * self.ffn

    @property
    def biased_heads(self) -> int:
        return self.heads

    @property
    def parameters(self) -> int:
        norms = (2 * self.depth + 3 * self.decoder_depth + 2) * self.width
        embedding = 0 if self.tie_embeddings else self.vocab_size * self.width
        return self.matmul_parameters + norms + embedding + 2 * self.buckets * self.heads
