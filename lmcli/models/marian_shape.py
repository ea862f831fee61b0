"""Sizes of Marian (no torch)."""

from __future__ import annotations

from dataclasses import dataclass

from lmcli.models.encoder_decoder_shape import EncoderDecoderShape


@dataclass(frozen=True, kw_only=True)
class MarianShape(EncoderDecoderShape):
    """Token vectors are multiplied by the root of the width where they are `scaled`, as in the first transformer."""

    activation: str = "relu"
    scaled: bool = True
    norm_eps: float = 1e-5

    @property
    def parameters(self) -> int:
        """With the biases: 4 of an attention and 1 of a feed-forward layer are as wide as the model; and a bias of the
        scores for each token."""
        norm = 2 * self.width
        half = 4 * self.width + norm
        ffn = self.ffn + self.width + norm
        biases = self.depth * (half + ffn) + self.decoder_depth * (2 * half + ffn)
        return self.matmul_parameters + biases + self.vocab_size
