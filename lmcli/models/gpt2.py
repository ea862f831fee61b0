"""The decoder that transformers knows as GPT2LMHeadModel. Shape suffixes as in attention.py."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar, Literal, Self, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lmcli.models import gpt2_files, neighbours
from lmcli.models.attention import Cache, added, attend, padding_bias, sight_bias
from lmcli.models.config import ModelConfig
from lmcli.models.decoder import Decoder
from lmcli.models.device import working
from lmcli.models.dropping import Dropout
from lmcli.models.initial import start_as_identity
from lmcli.models.layers import Linear
from lmcli.models.model import Names, Sight
from lmcli.models.norms import LayerNorm
from lmcli.models.shape import Shape, resolved_shape
from lmcli.models.sinusoids import sinusoids

View = tuple[bool, Tensor | None]
"""Whether no position sees a later one, and what is added to the scores."""


@dataclass(frozen=True, kw_only=True)
class GPT2Shape(Shape):
    """Biases everywhere, norms with gain and bias, a vector for each position."""

    ffn_matrices: ClassVar[int] = 2
    ffn_ratio: ClassVar[float] = 4.0

    positions: Literal["learned", "sinusoidal"] = "learned"
    norm_eps: float = 1e-5

    @property
    def parameters(self) -> int:
        """All trained numbers; a tied embedding counts once, and sinusoidal positions don't."""
        block = self.block_matmul_parameters + 9 * self.width + self.ffn  # 5 biases of the width, 2 norms
        tokens = self.vocab_size * (1 if self.tie_embeddings else 2)
        positions = self.context if self.positions == "learned" else 0
        return self.depth * block + (tokens + positions + 2) * self.width


class Attention(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.head_dim = shape.heads, shape.head_dim
        self.qkv = Linear(shape.width, 3 * shape.width, bias=True)
        self.out = Linear(shape.width, shape.width, bias=True)

    def forward(self, x_btd: Tensor, view: View, cache: Cache | None, layer: int) -> Tensor:
        heads_btchk = self.qkv(x_btd).unflatten(2, (3, self.heads, self.head_dim))
        q_bhtk, k_bhsk, v_bhsk = heads_btchk.permute(2, 0, 3, 1, 4)
        if cache is not None:
            k_bhsk, v_bhsk = cache.append(layer, k_bhsk, v_bhsk)
        causal, bias = view
        y_bhtk = attend(q_bhtk, k_bhsk, v_bhsk, scale=self.head_dim**-0.5, causal=causal, bias=bias)
        return self.out(y_bhtk.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class FeedForward(nn.Module):
    """down(GELU(up(x))) with GELU by the hyperbolic tangent (Hendrycks & Gimpel, 2016)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.up = Linear(shape.width, shape.ffn, bias=True)
        self.down = Linear(shape.ffn, shape.width, bias=True)

    def forward(self, x_btd: Tensor) -> Tensor:
        return self.down(F.gelu(self.up(x_btd), approximate="tanh"))  # type: ignore[no-any-return]


class Block(nn.Module):
    def __init__(self, shape: Shape, dropout: float) -> None:
        super().__init__()
        self.drop = Dropout(dropout)
        self.attention_norm = LayerNorm(shape.width, shape.norm_eps)
        self.attention = Attention(shape)
        self.ffn_norm = LayerNorm(shape.width, shape.norm_eps)
        self.ffn = FeedForward(shape)

    def forward(self, x_btd: Tensor, view: View, cache: Cache | None, layer: int) -> Tensor:
        x_btd = x_btd + self.drop(self.attention(self.attention_norm(x_btd), view, cache, layer))
        return x_btd + self.drop(self.ffn(self.ffn_norm(x_btd)))


class GPT2(Decoder):
    """A vector for each position, LayerNorm before each half of a block, GELU, biases (Radford et al., 2019).

    `dropout` acts on the embedding and on what each half of a block adds, in training mode only.
    """

    settings = frozenset({"positions"})
    shape_type = GPT2Shape

    def __init__(self, shape: Shape, dropout: float = 0.0) -> None:
        super().__init__()
        self.shape = shape
        self.drop = Dropout(dropout)
        self.embedding = nn.Parameter(torch.empty(shape.vocab_size, shape.width))
        if cast(GPT2Shape, shape).positions == "sinusoidal":
            self.register_buffer("positions", sinusoids(shape.context, shape.width))
        else:
            self.positions = nn.Parameter(torch.empty(shape.context, shape.width))
        self.blocks = nn.ModuleList(Block(shape, dropout) for _ in range(shape.depth))
        self.norm = LayerNorm(shape.width, shape.norm_eps)
        self.head = None if shape.tie_embeddings else nn.Parameter(torch.empty(shape.vocab_size, shape.width))

    def hidden(
        self, tokens_bt: Tensor, cache: Cache | None = None, padding_b: Tensor | None = None, sight: Sight = "left"
    ) -> Tensor:
        start, positions = cache.length if cache else 0, tokens_bt.shape[1]
        causal, bias = sight_bias(sight, positions)
        view = causal, added(bias, padding_bias(padding_b, start + positions))
        x_btd = working(F.embedding(tokens_bt, self.embedding) + self._places(start, positions, padding_b))
        x_btd = self.drop(x_btd)
        for layer, block in enumerate(self.blocks):
            x_btd = self.through(block, x_btd, view, cache, layer)
        if cache is not None:
            cache.advance(positions)
        return self.norm(x_btd)  # type: ignore[no-any-return]

    def _places(self, start: int, positions: int, padding_b: Tensor | None) -> Tensor:
        """The vectors of positions start, start + 1, ..., counted in each row from the end of its padding."""
        if padding_b is None:
            return self.positions[start : start + positions]
        columns = torch.arange(start, start + positions, device=padding_b.device)
        return F.embedding((columns - padding_b[:, None]).clamp(min=0), self.positions)

    def initialise(self, seed: int) -> Self:
        start_as_identity(self, seed)
        if isinstance(self.positions, nn.Parameter):
            neighbours.place(self.positions, (self.embedding,))
            attentions = (cast(Block, block).attention for block in self.blocks)
            neighbours.look(attentions, self.positions, neighbours.TO_THE_LEFT)
        return self

    @classmethod
    def shape_of(cls, config: ModelConfig, vocab_size: int) -> Shape:
        plain = resolved_shape(config, vocab_size, rotary=False)
        known = {field.name: getattr(plain, field.name) for field in fields(plain)}
        positions = "learned" if config.positions == "auto" else config.positions
        return GPT2Shape(**{**known, "norm_eps": GPT2Shape.norm_eps}, positions=positions)

    @classmethod
    def shape_from_hf(cls, config: Mapping[str, Any], where: str) -> Shape:
        return GPT2Shape(**gpt2_files.sizes(config, where))

    def hf_config(self, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
        learned = cast(GPT2Shape, self.shape).positions == "learned"
        return gpt2_files.config(self.shape, learned=learned, end_id=end_id, pad_id=pad_id, dtype=dtype)

    def hf_names(self) -> Names:
        return gpt2_files.names(self.shape)

    def hf_repeats(self) -> dict[str, str]:
        return {gpt2_files.HEAD: gpt2_files.OTHERS["embedding"]} if self.head is None else {}

    def hf_prefix(self) -> str:
        return gpt2_files.PREFIX

    def hf_ignored(self, name: str) -> bool:
        return gpt2_files.follows_from_config(name)
