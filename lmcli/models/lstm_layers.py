"""Layers of LSTM cells and what they keep of a text. Shape suffixes as in attention.py."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor, nn

from lmcli.models.attention import Cache
from lmcli.models.device import working
from lmcli.models.layers import Linear
from lmcli.models.lstm_shape import GATES

CLOSED = -1e4
"""Added to the input gate where there is padding: its sigmoid is 0 in every precision."""


class State(NamedTuple):
    """Hidden state and cell of each row after the last position, both (b, d)."""

    hidden_bd: Tensor
    cell_bd: Tensor


class Lstm(nn.Module):
    """A layer in one direction (Hochreiter & Schmidhuber, 1997; with the forget gate of Gers et al., 2000):

        i, f, g, o = input x + recurrent h + bias
        c <- sigmoid(f) c + sigmoid(i) tanh(g),    h <- sigmoid(o) tanh(c)

    All positions are computed by torch's kernel, on a CPU oneDNN's, which is as fast in float32 and in bfloat16 as
    anything built of single operations; the cell is kept in the precision of the products.
    """

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.width = width
        self.input = Linear(inputs, GATES * width)
        self.recurrent = Linear(width, GATES * width)
        self.bias = nn.Parameter(torch.empty(GATES * width))

    def forward(
        self, x_btd: Tensor, state: State | None = None, padded_bt: Tensor | None = None, backward: bool = False
    ) -> tuple[Tensor, State]:
        """The hidden states (b, t, d) and what is left at the end; without a `state` it begins at zero.

        Padding comes before the first token that is read: on the left, or on the right where `backward` reads from
        right to left. There the input gate is closed, so that a state of zero stays zero.
        """
        input_weight = working(self.input.weight)
        if padded_bt is not None:
            x_btd = torch.cat((x_btd, padded_bt[..., None].to(x_btd.dtype)), dim=2)
            closing = input_weight.new_zeros(GATES * self.width, 1)
            closing[: self.width] = CLOSED
            input_weight = torch.cat((input_weight, closing), dim=1)
        if state is None:
            nothing_bd = x_btd.new_zeros(x_btd.shape[0], self.width)
            state = State(nothing_bd, nothing_bd)
        bias = working(self.bias)
        weights = [input_weight, working(self.recurrent.weight), bias, torch.zeros_like(bias)]
        y_btd, hidden_1bd, cell_1bd = torch.lstm(
            x_btd.flip(1) if backward else x_btd,
            (state.hidden_bd[None], state.cell_bd[None]),
            weights,
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=self.training,
            bidirectional=False,
            batch_first=True,
        )
        return y_btd.flip(1) if backward else y_btd, State(hidden_1bd[0], cell_1bd[0])

    @torch.no_grad()
    def initialise(self, generator: torch.Generator) -> None:
        """Matrices are N(0, 1/(3 width)), as wide as torch's uniform ones; forget gates begin open, with a bias of 1
        (Jozefowicz et al., 2015), and the other biases at zero."""
        std = math.sqrt(1 / (3 * self.width))
        for linear in (self.input, self.recurrent):
            linear.weight.copy_(torch.empty(linear.weight.shape).normal_(0.0, std, generator=generator))
        self.bias.zero_()
        self.bias[self.width : 2 * self.width] = 1.0


class BothWays(nn.Module):
    """A layer that reads a text forward and backward, each with half of the width (Schuster & Paliwal, 1997)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.forward_half = Lstm(width, width // 2)
        self.backward_half = Lstm(width, width // 2)

    def forward(self, x_bsd: Tensor, padded_bs: Tensor | None) -> Tensor:
        """(b, s, d); padding is on the right, so the way back begins with it."""
        there, _ = self.forward_half(x_bsd)
        back, _ = self.backward_half(x_bsd, None, padded_bs, backward=True)
        return torch.cat((there, back), dim=2)

    def initialise(self, generator: torch.Generator) -> None:
        self.forward_half.initialise(generator)
        self.backward_half.initialise(generator)


class States(Cache):
    """Of each layer its state (b, d), in place of keys and values: all that an LSTM keeps of a text, however long."""

    def read(self, layer: int) -> State | None:
        """None before the first text."""
        return State(self.keys[layer], self.values[layer]) if self.length else None

    def write(self, layer: int, state: State) -> None:
        self.keys[layer], self.values[layer] = state

    def drop_left(self, positions: int) -> None:
        self.length -= positions

    def put_rows(self, rows: Tensor, other: Cache) -> None:
        for mine, theirs in zip((*self.keys, *self.values), (*other.keys, *other.values), strict=True):
            mine[rows] = theirs
