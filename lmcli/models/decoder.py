"""What every decoder family gives to training and generation."""

from __future__ import annotations

import sys
from typing import ClassVar

from torch import Tensor, nn

from lmcli.models.attention import Cache
from lmcli.models.heads import Head
from lmcli.models.model import Kind, Model, Sight


class Decoder(Model):
    """A model of the next token. Hidden states and head are apart, so that a loss can work in chunks.

    A family sets `shape`, `embedding` and `head` (None: the embedding is the head).
    """

    kind: ClassVar[Kind] = "decoder"
    objective: ClassVar[str] = "causal"
    reads_on: ClassVar[bool] = False
    """Whether a text may be longer than the context, which is then but the length of the windows in training."""
    head: nn.Parameter | None

    def hidden(
        self, tokens_bt: Tensor, cache: Cache | None = None, padding_b: Tensor | None = None, sight: Sight = "left"
    ) -> Tensor:
        """The normed state after the last block, (b, t, d), in the precision of matrix products.

        With a cache the tokens go on where it ends. The first `padding_b` positions of each row, counted from the
        start of the cache, are padding: they move nothing, and their own states mean nothing. A `sight` other than
        "left" is for reading whole texts, without a cache.
        """
        raise NotImplementedError

    @property
    def output(self) -> Head:
        return Head(self.embedding if self.head is None else self.head)

    def forward(self, tokens_bt: Tensor) -> Tensor:
        """Logits of the token after each position, (b, t, v)."""
        return self.logits(self.hidden(tokens_bt))

    @property
    def reach(self) -> int:
        """How many tokens a text that is read can have before it must go on from its last half."""
        return sys.maxsize if self.reads_on else self.shape.context

    def new_cache(self, capacity: int) -> Cache:
        """An empty cache for `capacity` positions."""
        return Cache(self.shape.depth, capacity)
