"""An LSTM encoder-decoder with attention, a baseline. Shape suffixes as in attention.py; s counts source positions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self, cast

import torch
from torch import Tensor, nn

from lmcli.models.attention import Cache, attend, real_bias
from lmcli.models.config import ModelConfig
from lmcli.models.dropping import Dropout
from lmcli.models.encoder_decoder import EncoderDecoder, Memory
from lmcli.models.heads import Head
from lmcli.models.layers import Linear
from lmcli.models.lstm import embedded
from lmcli.models.lstm_layers import BothWays, Lstm, State, States
from lmcli.models.lstm_shape import LstmPairShape
from lmcli.models.model import Names, Piece


class GlobalAttention(nn.Module):
    """tanh(W [context; h]), where the context is the mean of the source states weighted by softmax(s^T W_q h).

    The "general" score of Luong et al. (2015), without input feeding, so that all positions are computed at once.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.query = Linear(width, width)
        self.joined = Linear(2 * width, width)

    def forward(self, x_btd: Tensor, memory: Memory) -> Tensor:
        source_b1sd, query_b1td = memory.states_bsd[:, None], self.query(x_btd)[:, None]
        bias = real_bias(memory.real_bs)
        context_b1td = attend(query_b1td, source_b1sd, source_b1sd, scale=1.0, causal=False, bias=bias)
        return self.joined(torch.cat((context_b1td[:, 0], x_btd), dim=2)).tanh()  # type: ignore[no-any-return]


class LstmSeq2Seq(EncoderDecoder):
    """An encoder that reads both ways, a decoder whose layers start from what that knew at the first token of the
    source (Bahdanau et al., 2015), and attention over all of the source after the last layer.

    Both share the embedding. `dropout` acts on what enters each layer and on what leaves the last.
    """

    settings = frozenset({"decoder_depth"})
    without = frozenset({"heads", "ffn"})
    shape_type = LstmPairShape

    def __init__(self, shape: LstmPairShape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape: LstmPairShape = shape
        self.drop = Dropout(dropout)
        self.embedding = nn.Parameter(torch.empty(shape.vocab_size, shape.width))
        self.encoder = nn.ModuleList(BothWays(shape.width) for _ in range(shape.depth))
        self.start = nn.ModuleList(Linear(shape.width // 2, shape.width) for _ in range(shape.decoder_depth))
        self.decoder = nn.ModuleList(Lstm(shape.width, shape.width) for _ in range(shape.decoder_depth))
        self.attention = GlobalAttention(shape.width)
        self.head = None if shape.tie_embeddings else nn.Parameter(torch.empty(shape.vocab_size, shape.width))

    @property
    def stacks(self) -> Sequence[nn.ModuleList]:
        return (self.encoder, self.decoder)

    @property
    def output(self) -> Head:
        return Head(self.embedding if self.head is None else self.head)

    def encode(self, source_bs: Tensor, real_bs: Tensor | None = None) -> Memory:
        padded_bs = None if real_bs is None else ~real_bs
        x_bsd = self._embedded(source_bs)
        for block in self.encoder:
            x_bsd = self.drop(self.through(block, x_bsd, padded_bs))
        return Memory(x_bsd, real_bs)

    def hidden(self, tokens_bt: Tensor, memory: Memory, cache: Cache | None = None) -> Tensor:
        states = cast("States | None", cache)
        x_btd = self._embedded(tokens_bt)
        for layer, block in enumerate(self.decoder):
            before = states.read(layer) if states else None
            y_btd, after = self.through(block, x_btd, before or self._first(layer, memory))
            if states:
                states.write(layer, after)
            x_btd = self.drop(y_btd)
        if states:
            states.advance(tokens_bt.shape[1])
        return self.drop(self.attention(x_btd, memory))

    def _first(self, layer: int, memory: Memory) -> State:
        """The state that a layer of the decoder begins with: the encoder's way back ends at the first token."""
        read_bd = memory.states_bsd[:, 0, self.shape.width // 2 :]
        hidden_bd = self.start[layer](read_bd).tanh()
        return State(hidden_bd, torch.zeros_like(hidden_bd))

    def _embedded(self, tokens_bt: Tensor) -> Tensor:
        return self.drop(embedded(tokens_bt, self.embedding))

    def new_cache(self, capacity: int) -> Cache:
        return States(self.shape.decoder_depth, capacity)

    @torch.no_grad()
    def initialise(self, seed: int) -> Self:
        """Draw the weights as for the language model; matrices outside of the layers are N(0, 1/(3 fan-in)) too."""
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if name in ("embedding", "head"):
                parameter.copy_(torch.empty(parameter.shape).normal_(0.0, self.shape.width**-0.5, generator=generator))
            elif name.startswith(("start.", "attention.")):
                std = math.sqrt(1 / (3 * parameter.shape[1]))
                parameter.copy_(torch.empty(parameter.shape).normal_(0.0, std, generator=generator))
        for block in (*self.encoder, *self.decoder):
            cast("Lstm | BothWays", block).initialise(generator)
        return self

    @classmethod
    def shape_of(cls, config: ModelConfig, vocab_size: int) -> LstmPairShape:
        return LstmPairShape.resolved(config, vocab_size)

    @classmethod
    def shape_from_hf(cls, config: Mapping[str, Any], where: str) -> LstmPairShape:
        return LstmPairShape.from_config(config, where)

    def hf_config(self, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
        return self.shape.to_config("lstm-seq2seq", end_id=end_id, pad_id=pad_id, dtype=dtype)

    def hf_names(self) -> Names:
        """Its own names: nobody else has any for it."""
        return {name: (Piece(name),) for name, _ in self.named_parameters()}
