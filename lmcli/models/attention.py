"""Attention and its cache, for every family.

Names end in the shape of the tensor: b batch, t new positions, s all positions with the cached ones, d width, h heads,
g key and value heads, k width of a head, f inner width of the feed-forward layer, v vocabulary.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from lmcli.models.causal_attention import causal_attention
from lmcli.models.model import Sight

# Added to the score of a masked key. It is finite, so that a row of padding, with all keys masked, stays finite too.
MASKED = -1e9


def attend(
    q_bhtk: Tensor, k_bgsk: Tensor, v_bgsk: Tensor, *, scale: float, causal: bool, bias: Tensor | None
) -> Tensor:
    """softmax(scale * q k^T + bias) v, shape (b, h, t, k).

    The queries are the last t of the s positions; `causal` hides from each what comes after it. `bias` is added to the
    scores and broadcasts to (b, h, t, s). Each of the g key heads serves h / g neighbouring query heads.
    """
    positions, keys = q_bhtk.shape[2], k_bgsk.shape[2]
    blocks = q_bhtk.device.type == "cpu" and not torch.compiler.is_exporting()  # cut for one length: no part of a graph
    if blocks and causal and bias is None and positions == keys > 1:
        shared = q_bhtk.shape[1] // k_bgsk.shape[1]
        k_bhsk, v_bhsk = (x if shared == 1 else x.repeat_interleave(shared, dim=1) for x in (k_bgsk, v_bgsk))
        return causal_attention(q_bhtk, k_bhsk, v_bhsk, scale)
    if bias is not None and bias.requires_grad:
        seen = bias + causal_bias(positions, keys, q_bhtk.device) if causal else bias
        return _with_trained_bias(q_bhtk, k_bgsk, v_bgsk, scale, seen)
    if q_bhtk.device.type != "cpu":  # its kernels want each head's numbers side by side
        q_bhtk, k_bgsk, v_bgsk = q_bhtk.contiguous(), k_bgsk.contiguous(), v_bgsk.contiguous()
    mask = bias
    if causal and positions > 1 and (bias is not None or keys > positions):
        hidden_ts = causal_bias(positions, keys, q_bhtk.device)
        mask = hidden_ts if bias is None else bias + hidden_ts
    return F.scaled_dot_product_attention(
        q_bhtk,
        k_bgsk,
        v_bgsk,
        attn_mask=None if mask is None else mask.to(q_bhtk.dtype),
        is_causal=causal and positions > 1 and mask is None,
        scale=scale,
        enable_gqa=q_bhtk.shape[1] != k_bgsk.shape[1],
    )


def _with_trained_bias(q_bhtk: Tensor, k_bgsk: Tensor, v_bgsk: Tensor, scale: float, bias: Tensor) -> Tensor:
    """Softmax and products one after the other, in the precision of q: torch's own way to a gradient of the bias
    computes them in float32."""
    shared = q_bhtk.shape[1] // k_bgsk.shape[1]
    k_bhsk, v_bhsk = (x if shared == 1 else x.repeat_interleave(shared, dim=1) for x in (k_bgsk, v_bgsk))
    scores_bhts = (q_bhtk if scale == 1 else q_bhtk * scale) @ k_bhsk.mT + bias.to(q_bhtk.dtype)
    return scores_bhts.softmax(-1).to(q_bhtk.dtype) @ v_bhsk


def causal_bias(positions: int, keys: int, device: torch.device) -> Tensor:
    """(t, s): MASKED where a key comes after the query, for queries that are the last `positions` of `keys`."""
    hidden_ts = torch.full((positions, keys), MASKED, device=device)
    return hidden_ts.triu(keys - positions + 1)


def sight_bias(sight: Sight, positions: int) -> tuple[bool, Tensor | None]:
    """`causal` and `bias` of `attend`, for queries that are all positions of a text."""
    if not isinstance(sight, Tensor):
        return sight == "left", None
    places = torch.arange(positions, device=sight.device)
    seen_bts = (places[None, :] <= places[:, None]) | (places < sight[:, None, None])
    return False, (~seen_bts * MASKED)[:, None]


def real_bias(real_bs: Tensor | None) -> Tensor | None:
    """(b, 1, 1, s): MASKED for keys that are padding."""
    return None if real_bs is None else (~real_bs * MASKED)[:, None, None, :]


def added(*biases: Tensor | None) -> Tensor | None:
    """The sum of the biases that are there."""
    there = [bias for bias in biases if bias is not None]
    return sum(there[1:], start=there[0]) if there else None


def padding_bias(padding_b: Tensor | None, keys: int) -> Tensor | None:
    """(b, 1, 1, s): MASKED for the first `padding_b` keys of each row."""
    if padding_b is None:
        return None
    padded_bs = torch.arange(keys, device=padding_b.device) < padding_b[:, None]
    return (padded_bs * MASKED)[:, None, None, :]


class Cache:
    """Keys and values of the positions seen so far, one (b, g, capacity, k) tensor of each for each layer.

    All rows hold `length` positions; a shorter text is padded on the left. Where a text is written for a source,
    `sources` has the keys and values of that for each layer that has read it, (b, g, s, k).
    """

    def __init__(self, depth: int, capacity: int) -> None:
        self.capacity = capacity
        self.length = 0
        self.keys: list[Tensor] = [torch.empty(0)] * depth
        self.values: list[Tensor] = [torch.empty(0)] * depth
        self.sources: dict[int, tuple[Tensor, Tensor]] = {}

    def append(self, layer: int, k_bgtk: Tensor, v_bgtk: Tensor) -> tuple[Tensor, Tensor]:
        """All keys and values of a layer, the new ones included; `advance` counts them after the last layer."""
        if not self.keys[layer].numel():
            batch, heads, _, width = k_bgtk.shape
            self.keys[layer] = k_bgtk.new_empty(batch, heads, self.capacity, width)
            self.values[layer] = k_bgtk.new_empty(batch, heads, self.capacity, width)
        end = self.length + k_bgtk.shape[2]
        self.keys[layer][:, :, self.length : end] = k_bgtk
        self.values[layer][:, :, self.length : end] = v_bgtk
        return self.keys[layer][:, :, :end], self.values[layer][:, :, :end]

    def advance(self, positions: int) -> None:
        self.length += positions

    def select(self, rows: Tensor) -> None:
        """Keep these rows in this order; a row named twice is copied."""
        self.keys = [keys.index_select(0, rows) for keys in self.keys]
        self.values = [values.index_select(0, rows) for values in self.values]
        self.sources = {
            layer: (keys.index_select(0, rows), values.index_select(0, rows))
            for layer, (keys, values) in self.sources.items()
        }

    def drop_left(self, positions: int) -> None:
        """Forget the first positions of all rows, to make room on the right."""
        self.length -= positions
        for store in (*self.keys, *self.values):
            store[:, :, : self.length] = store[:, :, positions : positions + self.length].clone()

    def put_rows(self, rows: Tensor, other: Cache) -> None:
        """Let `rows` end in what the rows of `other` hold; what lies before in them is padding from now on."""
        start = self.length - other.length
        for mine, theirs in zip((*self.keys, *self.values), (*other.keys, *other.values), strict=True):
            mine[rows, :, start : self.length] = theirs[:, :, : other.length]
