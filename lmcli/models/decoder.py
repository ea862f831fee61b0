"""What every decoder family gives to training, generation and model directories."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import torch.nn.functional as F
from torch import Tensor, nn

from lmcli.models.attention import Cache
from lmcli.models.config import ModelConfig
from lmcli.models.shape import Shape

# Own parameter name -> the names of Hugging Face's tensors that it joins, each with its rows (None: all rows).
Names = dict[str, tuple[tuple[str, int | None], ...]]


class Decoder(nn.Module):
    """A model of the next token. Hidden states and head are apart, so that a loss can work in chunks.

    A family sets `shape`, `embedding` and `head` (None: the embedding is the head) and has a constructor
    `Family(shape, dropout=0.0)`, which leaves the weights empty until `initialise` or a load.
    """

    kind: ClassVar[str] = "decoder"
    recompute: bool = False
    """In training mode without a cache, keep what enters each block and compute the rest again for the gradient."""
    shape: Shape
    embedding: nn.Parameter
    head: nn.Parameter | None

    def hidden(self, tokens_bt: Tensor, cache: Cache | None = None, padding_b: Tensor | None = None) -> Tensor:
        """The normed state after the last block, (b, t, d), in the precision of matrix products.

        With a cache the tokens go on where it ends. The first `padding_b` positions of each row, counted from the
        start of the cache, are padding: they move nothing, and their own states mean nothing.
        """
        raise NotImplementedError

    def initialise(self, seed: int) -> Self:
        """Draw the weights; the same seed gives the same weights on every device."""
        raise NotImplementedError

    @property
    def head_weight(self) -> Tensor:
        """The output layer, (v, d)."""
        return self.embedding if self.head is None else self.head

    def logits(self, hidden: Tensor) -> Tensor:
        """(..., v) from (..., d), float32."""
        return F.linear(hidden, self.head_weight).float()

    def forward(self, tokens_bt: Tensor) -> Tensor:
        """Logits of the token after each position, (b, t, v)."""
        return self.logits(self.hidden(tokens_bt))

    def new_cache(self, capacity: int) -> Cache:
        """An empty cache for `capacity` positions."""
        return Cache(self.shape.depth, capacity)

    @classmethod
    def shape_of(cls, config: ModelConfig, vocab_size: int) -> Shape:
        """The shape of a config in which no `auto` is left; ConfigError when it can't be built."""
        raise NotImplementedError

    @classmethod
    def shape_from_hf(cls, config: Mapping[str, Any], where: str) -> Shape:
        """The shape in a config.json (`where` names it); ArtifactError for what is wrong or not implemented."""
        raise NotImplementedError

    def hf_config(self, *, end_id: int, pad_id: int, dtype: str) -> dict[str, Any]:
        """config.json, complete."""
        raise NotImplementedError

    def hf_names(self) -> Names:
        """The one table from own parameter names to Hugging Face's, for save and load."""
        raise NotImplementedError

    def hf_repeats(self) -> dict[str, str]:
        """Tensors that some writers store a second time -> the tensor that they repeat."""
        return {}
