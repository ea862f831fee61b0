"""How attention over learned positions begins: each head looks at one neighbour of every position.

Where positions are vectors that are added to those of tokens, a model has to find out which of them lie side by side,
and before it has, masked tokens can only be told by how frequent they are. So a third of the channels begins as
sinusoids, which turn by the same angles from each position to the next; vectors of tokens begin without these channels;
and queries and keys read nothing else at first. Keys that are turned back by d positions then score highest d positions
before the query. All of this is where training begins, not what it is held to. That the products of queries and keys
had better not begin at random was found by Trockman & Kolter (2023, "Mimetic initialization"), with the identity.

`docs/models.md` has what that changes. The rate matters: at the embedding's, which scatters the positions, it is lost.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import Protocol, cast

import torch
from torch import Tensor

from lmcli.models.layers import Linear

BOTH_SIDES = (1, -1, 2, -2)
"""Positions to the left, one for each head in turn, from the first block on."""
TO_THE_LEFT = (1, 2, 3, 4)
"""The same for models that see nothing else."""
POSITIONS_STD = 0.6
PEAK = 40.0
"""Score of the neighbour that a head looks at. The next ones have 5 % less."""


class Attention(Protocol):
    """`qkv` gives queries, keys and values, those of each head side by side."""

    heads: int
    qkv: Linear


def channels(width: int) -> int:
    """How many of `width` channels are for positions, counted from the last: even, at least 2."""
    return 2 * max(1, width // 6)


def frequencies(count: int, positions: int) -> Tensor:
    """(count / 2,): by how much each pair of channels turns from one position to the next, from 1 to 1 / positions."""
    return max(positions, 2) ** -(torch.arange(0, count, 2, dtype=torch.float32) / count)


@torch.no_grad()
def place(positions_td: Tensor, others: Iterable[Tensor]) -> None:
    """Let a table of positions begin as sinusoids in its last channels, where the tables `others` begin empty."""
    rows, width = positions_td.shape
    count = channels(width)
    angles = torch.outer(torch.arange(rows, dtype=torch.float32), frequencies(count, rows))
    positions_td.zero_()
    positions_td[:, -count:] = torch.stack((angles.sin(), angles.cos()), 2).flatten(1) * POSITIONS_STD * math.sqrt(2)
    for table in others:
        table[:, -count:] = 0.0


@torch.no_grad()
def pass_on(weight: Tensor, table_width: int) -> None:
    """Let a layer between tables and blocks hand the channels of positions through, as many as the blocks have."""
    width = weight.shape[0]
    count, known = channels(width), channels(table_width)
    shared = min(count, known)
    weight[-count:] = 0.0
    start = table_width - known
    weight[width - count : width - count + shared, start : start + shared] = torch.eye(shared)


@torch.no_grad()
def look(attentions: Iterable[Attention], table_td: Tensor, offsets: Sequence[int]) -> None:
    """Let heads look at their neighbours, `offsets` to the left in turn, by the positions that `table_td` holds."""
    turns = frequencies(channels(table_td.shape[1]), table_td.shape[0])
    following = itertools.cycle(offsets)
    for attention in attentions:
        weight = attention.qkv.weight
        queries_hkd, keys_hkd, _ = weight.view(3, attention.heads, -1, weight.shape[1])
        for query_kd, key_kd in zip(queries_hkd, keys_hkd, strict=True):
            _look_back(query_kd, key_kd, next(following), turns)


def _orthogonal(drawn: Tensor) -> Tensor:
    """Orthogonal columns of length one, or rows where these are fewer, so that angles stay as they are."""
    if drawn.shape[0] < drawn.shape[1]:
        return _orthogonal(drawn.T).T
    return cast(Tensor, torch.linalg.qr(drawn).Q)


def _look_back(query_kd: Tensor, key_kd: Tensor, distance: int, turns: Tensor) -> None:
    """Let key(p) be query(p + distance), as far as positions go; both read nothing else."""
    size, width = query_kd.shape
    count = min(channels(width), 2 * len(turns))
    start = width - channels(width)
    read = _orthogonal(query_kd[:, start : start + count])
    read *= math.sqrt(PEAK * math.sqrt(size) / width * max(1.0, count / size))  # norms leave entries of about one
    sines, cosines = read[:, ::2], read[:, 1::2]
    cos, sin = (turns[: count // 2] * distance).cos(), (turns[: count // 2] * distance).sin()
    turned = torch.stack((sines * cos - cosines * sin, sines * sin + cosines * cos), 2).flatten(1)
    for weight, begun in ((query_kd, read), (key_kd, turned)):
        weight.zero_()
        weight[:, start : start + count] = begun
