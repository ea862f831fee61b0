"""The encoder-decoder that transformers knows as T5ForConditionalGeneration. Shape suffixes as in attention.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmcli.models.attention import Cache, added, causal_bias, real_bias
from lmcli.models.config import ModelConfig
from lmcli.models.cross_attention import CrossAttention, SelfAttention
from lmcli.models.device import working
from lmcli.models.dropping import Dropout
from lmcli.models.encoder_decoder import EncoderDecoder, Memory
from lmcli.models.layers import GatedGELU, ReLU
from lmcli.models.model import Names
from lmcli.models.norms import RMSNorm
from lmcli.models.relative import RelativeBias
from lmcli.models.shape import Shape
from lmcli.models.t5_files import REPEATS, from_hf_config, hf_names, to_hf_config
from lmcli.models.t5_shape import T5Shape


class EncoderBlock(nn.Module):
    def __init__(self, shape: T5Shape, dropout: float) -> None:
        super().__init__()
        self.drop = Dropout(dropout)
        self.attention_norm = RMSNorm(shape.width, shape.norm_eps)
        self.attention = SelfAttention(shape, scale=1.0)
        self.ffn_norm = RMSNorm(shape.width, shape.norm_eps)
        self.ffn = GatedGELU(shape.width, shape.ffn) if shape.gated else ReLU(shape.width, shape.ffn)

    def forward(self, x_btd: Tensor, bias: Tensor) -> Tensor:
        x_btd = x_btd + self.drop(self.attention(self.attention_norm(x_btd), False, bias, None, 0))
        return x_btd + self.drop(self.ffn(self.ffn_norm(x_btd)))


class DecoderBlock(EncoderBlock):
    """With an attention over the source between the two halves."""

    def __init__(self, shape: T5Shape, dropout: float) -> None:
        super().__init__(shape, dropout)
        self.cross_norm = RMSNorm(shape.width, shape.norm_eps)
        self.cross = CrossAttention(shape, scale=1.0)

    def forward(  # type: ignore[override]
        self, x_btd: Tensor, bias: Tensor, memory: Memory, cache: Cache | None, layer: int
    ) -> Tensor:
        x_btd = x_btd + self.drop(self.attention(self.attention_norm(x_btd), False, bias, cache, layer))
        x_btd = x_btd + self.drop(self.cross(self.cross_norm(x_btd), memory, cache, layer))
        return x_btd + self.drop(self.ffn(self.ffn_norm(x_btd)))


class T5(EncoderDecoder):
    """Relative positions that the blocks of a stack share, unscaled attention, RMSNorm before each part of a block.

    The output layer is the embedding, applied to states times width^-0.5, or one of its own without that factor (as in
    version 1.1, whose feed-forward layers have a gate too). `dropout` acts on the embedding and on what each part of a
    block adds, in training mode only.
    """

    settings = frozenset({"decoder_depth", "gated"})
    shape_type = T5Shape

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__()
        own = cast(T5Shape, shape)
        self.shape = shape
        self.drop = Dropout(dropout)
        self.embedding = nn.Parameter(torch.empty(shape.vocab_size, shape.width))
        self.encoder_positions = RelativeBias(shape.heads, own.buckets, own.farthest, both=True)
        self.encoder = nn.ModuleList(EncoderBlock(own, dropout) for _ in range(shape.depth))
        self.encoder_norm = RMSNorm(shape.width, shape.norm_eps)
        self.decoder_positions = RelativeBias(shape.heads, own.buckets, own.farthest, both=False)
        self.decoder = nn.ModuleList(DecoderBlock(own, dropout) for _ in range(own.decoder_depth))
        self.decoder_norm = RMSNorm(shape.width, shape.norm_eps)
        self.head = None if shape.tie_embeddings else nn.Parameter(torch.empty(shape.vocab_size, shape.width))

    @property
    def stacks(self) -> tuple[nn.ModuleList, nn.ModuleList]:
        return self.encoder, self.decoder

    def encode(self, source_bs: Tensor, real_bs: Tensor | None = None) -> Memory:
        length = source_bs.shape[1]
        bias = _sum(self.encoder_positions(length, length), real_bias(real_bs))
        x_bsd = self._embed(source_bs)
        for block in self.encoder:
            x_bsd = self.through(block, x_bsd, bias)
        return Memory(self.drop(self.encoder_norm(x_bsd)), real_bs)

    def hidden(self, tokens_bt: Tensor, memory: Memory, cache: Cache | None = None) -> Tensor:
        start, positions = cache.length if cache else 0, tokens_bt.shape[1]
        keys = start + positions
        bias = _sum(self.decoder_positions(positions, keys), causal_bias(positions, keys, tokens_bt.device))
        x_btd = self._embed(tokens_bt)
        for layer, block in enumerate(self.decoder):
            x_btd = self.through(block, x_btd, bias, memory, cache, layer)
        if cache is not None:
            cache.advance(positions)
        return self.drop(self.decoder_norm(x_btd))

    def before_output(self, hidden: Tensor) -> Tensor:
        return hidden * self.shape.width**-0.5 if self.head is None else hidden

    def _embed(self, tokens_bt: Tensor) -> Tensor:
        return self.drop(working(F.embedding(tokens_bt, self.embedding)))

    @torch.no_grad()
    def initialise(self, seed: int) -> Self:
        """Draw the weights as T5's own code does, so that scores need no scale: N(0, 1 / fan-in), but 1 / head width
        of that for queries, and N(0, 1) for the embedding. A head of its own is N(0, 1 / width), as a tied one acts.

        The source is Mesh TensorFlow's initialisers, which transformers repeats in `T5PreTrainedModel._init_weights`.
        """
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if name.endswith("norm.weight"):
                parameter.fill_(1.0)
                continue
            drawn = torch.empty(parameter.shape).normal_(0.0, self._std(name, parameter), generator=generator)
            if name.endswith((".qkv.weight", ".q.weight")):
                drawn[: self.shape.heads * self.shape.head_dim] *= self.shape.head_dim**-0.5
            parameter.copy_(drawn)
        return self

    def _std(self, name: str, parameter: Tensor) -> float:
        if name == "embedding":
            return 1.0
        fan_in = self.shape.width if name.endswith("table") else parameter.shape[1]
        return float(fan_in**-0.5)

    @classmethod
    def shape_of(cls, config: ModelConfig, vocab_size: int) -> Shape:
        return T5Shape.resolved(config, vocab_size, gated=config.gated is True)

    @classmethod
    def shape_from_hf(cls, config: Mapping[str, Any], where: str) -> Shape:
        return from_hf_config(config, where)

    def hf_config(self, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
        return to_hf_config(cast(T5Shape, self.shape), end_id=end_id, pad_id=pad_id, dtype=dtype)

    def hf_names(self) -> Names:
        return hf_names(cast(T5Shape, self.shape))

    def hf_repeats(self) -> dict[str, str]:
        return REPEATS if self.head is None else {name: of for name, of in REPEATS.items() if "lm_head" not in name}

    def hf_ignored(self, name: str) -> bool:
        """The first checkpoints hold a table of the attention over the source, which has no positions."""
        return name == "decoder.block.0.layer.1.EncDecAttention.relative_attention_bias.weight"


def _sum(positions_bias: Tensor, hidden: Tensor | None) -> Tensor:
    """What is added to the scores, in the precision of the first."""
    return added(positions_bias, None if hidden is None else hidden.to(positions_bias.dtype))  # type: ignore[return-value]
