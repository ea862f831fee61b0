"""The two attentions of a decoder that writes for a source: over what it wrote, and over what the encoder made of the
source (Vaswani et al., 2017, section 3.2.3). Shape suffixes as in attention.py."""

from __future__ import annotations

from torch import Tensor, nn

from lmcli.models.attention import Cache, attend, real_bias
from lmcli.models.encoder_decoder import Memory
from lmcli.models.layers import Linear
from lmcli.models.shape import Shape


class SelfAttention(nn.Module):
    """Over the text itself, for an encoder and a decoder alike; `bias` of the products, `scale` of the scores."""

    def __init__(self, shape: Shape, *, scale: float, bias: bool = False) -> None:
        super().__init__()
        self.heads, self.head_dim, self.scale = shape.heads, shape.head_dim, scale
        inner = shape.heads * shape.head_dim
        self.qkv = Linear(shape.width, 3 * inner, bias)
        self.out = Linear(inner, shape.width, bias)

    def forward(self, x_btd: Tensor, causal: bool, bias: Tensor | None, cache: Cache | None, layer: int) -> Tensor:
        q_bhtk, k_bhsk, v_bhsk = _heads(self.qkv(x_btd), 3, self.heads)
        if cache is not None:
            k_bhsk, v_bhsk = cache.append(layer, k_bhsk, v_bhsk)
        y_bhtk = attend(q_bhtk, k_bhsk, v_bhsk, scale=self.scale, causal=causal, bias=bias)
        return self.out(y_bhtk.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class CrossAttention(nn.Module):
    """Over the memory of a source; with a cache its keys and values are computed once."""

    def __init__(self, shape: Shape, *, scale: float, bias: bool = False) -> None:
        super().__init__()
        self.heads, self.scale = shape.heads, scale
        inner = shape.heads * shape.head_dim
        self.q = Linear(shape.width, inner, bias)
        self.kv = Linear(shape.width, 2 * inner, bias)
        self.out = Linear(inner, shape.width, bias)

    def forward(self, x_btd: Tensor, memory: Memory, cache: Cache | None, layer: int) -> Tensor:
        (q_bhtk,) = _heads(self.q(x_btd), 1, self.heads)
        k_bhsk, v_bhsk = self._source(memory, cache, layer)
        y_bhtk = attend(q_bhtk, k_bhsk, v_bhsk, scale=self.scale, causal=False, bias=real_bias(memory.real_bs))
        return self.out(y_bhtk.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _source(self, memory: Memory, cache: Cache | None, layer: int) -> tuple[Tensor, Tensor]:
        if cache is not None and layer in cache.sources:
            return cache.sources[layer]
        k_bhsk, v_bhsk = _heads(self.kv(memory.states_bsd), 2, self.heads)
        if cache is not None:
            cache.sources[layer] = k_bhsk, v_bhsk
        return k_bhsk, v_bhsk


def _heads(x_btc: Tensor, parts: int, heads: int) -> tuple[Tensor, ...]:
    """Products that lie side by side, each as (b, h, t, k)."""
    batch, positions, _ = x_btc.shape
    return x_btc.view(batch, positions, parts, heads, -1).permute(2, 0, 3, 1, 4).unbind()
