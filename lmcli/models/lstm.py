"""The LSTM language model of Zaremba et al. (2014), a baseline. Shape suffixes as in attention.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmcli.models.attention import Cache
from lmcli.models.config import ModelConfig
from lmcli.models.decoder import Decoder
from lmcli.models.device import working
from lmcli.models.dropping import Dropout
from lmcli.models.lstm_layers import Lstm, States
from lmcli.models.lstm_shape import LstmShape
from lmcli.models.model import Names, Piece, Sight


class LstmModel(Decoder):
    """Layers of LSTM cells, one above the other, each as wide as the embedding.

    `dropout` acts on what enters each layer and on what leaves the last, never from one position to the next, in
    training mode only. What was read is kept in the state alone, so that a text may be longer than the context, which
    is but the length of the windows in training.
    """

    without = frozenset({"heads", "ffn"})
    shape_type = LstmShape
    reads_on = True
    one_way = True

    def __init__(self, shape: LstmShape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape = shape
        self.drop = Dropout(dropout)
        self.embedding = nn.Parameter(torch.empty(shape.vocab_size, shape.width))
        self.blocks = nn.ModuleList(Lstm(shape.width, shape.width) for _ in range(shape.depth))
        self.head = None if shape.tie_embeddings else nn.Parameter(torch.empty(shape.vocab_size, shape.width))

    def hidden(
        self, tokens_bt: Tensor, cache: Cache | None = None, padding_b: Tensor | None = None, sight: Sight = "left"
    ) -> Tensor:
        if not isinstance(sight, str) or sight != "left":
            raise ValueError("an LSTM reads from left to right only")
        states = cast("States | None", cache)
        padded_bt = _padded(padding_b, states.length if states else 0, tokens_bt.shape[1])
        x_btd = self.drop(embedded(tokens_bt, self.embedding))
        for layer, block in enumerate(self.blocks):
            y_btd, after = self.through(block, x_btd, states.read(layer) if states else None, padded_bt)
            if states:
                states.write(layer, after)
            x_btd = self.drop(y_btd)
        if states:
            states.advance(tokens_bt.shape[1])
        return x_btd

    def new_cache(self, capacity: int) -> Cache:
        return States(self.shape.depth, capacity)

    @torch.no_grad()
    def initialise(self, seed: int) -> Self:
        """Draw the weights; the same seed gives the same weights on every device.

        Embedding and output layer are N(0, 1/width); for the layers see `Lstm.initialise`.
        """
        generator = torch.Generator().manual_seed(seed)
        for table in (self.embedding, self.head):
            if table is not None:
                table.copy_(torch.empty(table.shape).normal_(0.0, self.shape.width**-0.5, generator=generator))
        for block in self.blocks:
            cast(Lstm, block).initialise(generator)
        return self

    @classmethod
    def shape_of(cls, config: ModelConfig, vocab_size: int) -> LstmShape:
        return LstmShape.resolved(config, vocab_size)

    @classmethod
    def shape_from_hf(cls, config: Mapping[str, Any], where: str) -> LstmShape:
        return LstmShape.from_config(config, where)

    def hf_config(self, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
        return cast(LstmShape, self.shape).to_config("lstm", end_id=end_id, pad_id=pad_id, dtype=dtype)

    def hf_names(self) -> Names:
        """Its own names: nobody else has any for it."""
        return {name: (Piece(name),) for name, _ in self.named_parameters()}


def embedded(tokens_bt: Tensor, table_vd: Tensor) -> Tensor:
    """The tokens' rows times sqrt(width), as in Vaswani et al. (2017, section 3.4).

    One table then suits both ends: what enters the gates has the scale 1 and the first logits are small.
    """
    return working(F.embedding(tokens_bt, table_vd) * table_vd.shape[1] ** 0.5)


def _padded(padding_b: Tensor | None, start: int, positions: int) -> Tensor | None:
    """(b, t): True where the positions from `start` on are padding; None where none is."""
    if padding_b is None:
        return None
    padded_bt = torch.arange(start, start + positions, device=padding_b.device) < padding_b[:, None]
    return padded_bt if bool(padded_bt.any()) else None
