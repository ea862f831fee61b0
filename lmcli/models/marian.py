"""The encoder-decoder that transformers knows as MarianMTModel. Shape suffixes as in attention.py."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmcli.errors import ConfigError
from lmcli.models.attention import Cache, real_bias
from lmcli.models.config import ModelConfig
from lmcli.models.cross_attention import CrossAttention, SelfAttention
from lmcli.models.device import working
from lmcli.models.dropping import Dropout
from lmcli.models.encoder_decoder import EncoderDecoder, Memory
from lmcli.models.heads import Head
from lmcli.models.layers import Linear
from lmcli.models.marian_files import ACTIVATIONS, TABLES, from_hf_config, hf_names, to_hf_config
from lmcli.models.marian_shape import MarianShape
from lmcli.models.model import Names
from lmcli.models.norms import LayerNorm
from lmcli.models.shape import Shape
from lmcli.models.sinusoids import sinusoids


class FeedForward(nn.Module):
    def __init__(self, shape: MarianShape) -> None:
        super().__init__()
        self.activation = getattr(F, ACTIVATIONS[shape.activation])
        self.up = Linear(shape.width, shape.ffn, bias=True)
        self.down = Linear(shape.ffn, shape.width, bias=True)

    def forward(self, x_btd: Tensor) -> Tensor:
        return self.down(self.activation(self.up(x_btd)))  # type: ignore[no-any-return]


class EncoderBlock(nn.Module):
    def __init__(self, shape: MarianShape, dropout: float) -> None:
        super().__init__()
        self.drop = Dropout(dropout)
        self.attention = SelfAttention(shape, scale=shape.head_dim**-0.5, bias=True)
        self.attention_norm = LayerNorm(shape.width, shape.norm_eps)
        self.ffn = FeedForward(shape)
        self.ffn_norm = LayerNorm(shape.width, shape.norm_eps)

    def forward(self, x_btd: Tensor, bias: Tensor | None) -> Tensor:
        x_btd = self.attention_norm(x_btd + self.drop(self.attention(x_btd, False, bias, None, 0)))
        return self.ffn_norm(x_btd + self.drop(self.ffn(x_btd)))  # type: ignore[no-any-return]


class DecoderBlock(EncoderBlock):
    """With an attention over the source between the two halves."""

    def __init__(self, shape: MarianShape, dropout: float) -> None:
        super().__init__(shape, dropout)
        self.cross = CrossAttention(shape, scale=shape.head_dim**-0.5, bias=True)
        self.cross_norm = LayerNorm(shape.width, shape.norm_eps)

    def forward(  # type: ignore[override]
        self, x_btd: Tensor, memory: Memory, cache: Cache | None, layer: int
    ) -> Tensor:
        x_btd = self.attention_norm(x_btd + self.drop(self.attention(x_btd, True, None, cache, layer)))
        x_btd = self.cross_norm(x_btd + self.drop(self.cross(x_btd, memory, cache, layer)))
        return self.ffn_norm(x_btd + self.drop(self.ffn(x_btd)))  # type: ignore[no-any-return]


class Marian(EncoderDecoder):
    """The first transformer (Vaswani et al., 2017): sinusoidal positions, a norm after each sum, biases, one table for
    the tokens of sources, targets and scores.

    `dropout` acts on the embedding and on what each part of a block adds, in training mode only. What the scores are
    biased by comes with a checkpoint and isn't trained, as in transformers.
    """

    settings = frozenset({"decoder_depth"})
    ties = True
    shape_type = MarianShape

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__()
        own = cast(MarianShape, shape)
        self.shape = shape
        self.drop = Dropout(dropout)
        self.scale = math.sqrt(shape.width) if own.scaled else 1.0
        self.embedding = nn.Parameter(torch.empty(shape.vocab_size, shape.width))
        interleaved = sinusoids(shape.context, shape.width)  # Marian has all sines first, then all cosines
        by_kind = torch.cat((interleaved[:, ::2], interleaved[:, 1::2]), 1)
        self.register_buffer("positions", by_kind, persistent=False)
        self.encoder = nn.ModuleList(EncoderBlock(own, dropout) for _ in range(shape.depth))
        self.decoder = nn.ModuleList(DecoderBlock(own, dropout) for _ in range(own.decoder_depth))
        self.head = None
        self.score_bias = nn.Parameter(torch.empty(1, shape.vocab_size), requires_grad=False)

    @property
    def stacks(self) -> tuple[nn.ModuleList, nn.ModuleList]:
        return self.encoder, self.decoder

    @property
    def output(self) -> Head:
        return Head(self.embedding, self.score_bias[0])

    def encode(self, source_bs: Tensor, real_bs: Tensor | None = None) -> Memory:
        bias = real_bias(real_bs)
        x_bsd = self._embed(source_bs, 0)
        for block in self.encoder:
            x_bsd = self.through(block, x_bsd, bias)
        return Memory(x_bsd, real_bs)

    def hidden(self, tokens_bt: Tensor, memory: Memory, cache: Cache | None = None) -> Tensor:
        x_btd = self._embed(tokens_bt, cache.length if cache else 0)
        for layer, block in enumerate(self.decoder):
            x_btd = self.through(block, x_btd, memory, cache, layer)
        if cache is not None:
            cache.advance(tokens_bt.shape[1])
        return x_btd

    def _embed(self, tokens_bt: Tensor, start: int) -> Tensor:
        positions_td = cast(Tensor, self.positions)[start : start + tokens_bt.shape[1]]
        x_btd = working(F.embedding(tokens_bt, self.embedding) * self.scale + positions_td)
        return self.drop(x_btd)

    @torch.no_grad()
    def initialise(self, seed: int) -> Self:
        """Draw the weights as the first transformer's own code (Tensor2Tensor) does: matrices evenly up to the root of
        6 / (inputs + outputs) (Glorot & Bengio, 2010), tables N(0, 1 / width); gains one, biases zero."""
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            drawn = torch.empty(parameter.shape)
            if name.endswith("bias"):
                parameter.zero_()
            elif name.endswith("norm.weight"):
                parameter.fill_(1.0)
            elif name == "embedding":
                parameter.copy_(drawn.normal_(0.0, self.shape.width**-0.5, generator=generator))
            else:
                rows, columns = parameter.shape
                joined = 3 if ".qkv." in name else 2 if ".kv." in name else 1
                reach = math.sqrt(6 / (rows / joined + columns))
                parameter.copy_(drawn.uniform_(-reach, reach, generator=generator))
        return self

    @classmethod
    def shape_of(cls, config: ModelConfig, vocab_size: int) -> Shape:
        shape = MarianShape.resolved(config, vocab_size)
        if not shape.tie_embeddings:
            message = "model.tie_embeddings = false: the output layer of marian is its embedding"
            raise ConfigError(message, "leave model.tie_embeddings out")
        return shape

    @classmethod
    def shape_from_hf(cls, config: Mapping[str, Any], where: str) -> Shape:
        return from_hf_config(config, where)

    def hf_config(self, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
        return to_hf_config(cast(MarianShape, self.shape), end_id=end_id, pad_id=pad_id, dtype=dtype)

    def hf_names(self) -> Names:
        return hf_names(cast(MarianShape, self.shape))

    def hf_repeats(self) -> dict[str, str]:
        return dict.fromkeys(TABLES, "model.shared.weight")

    def hf_prefix(self) -> str:
        return "model."

    def hf_optional(self, name: str) -> bool:
        return name == "final_logits_bias"

    def hf_ignored(self, name: str) -> bool:
        return name.endswith("embed_positions.weight")
