"""What every encoder-decoder family gives to training and generation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

from torch import Tensor, nn

from lmcli.models.attention import Cache
from lmcli.models.encoder_decoder_shape import EncoderDecoderShape
from lmcli.models.heads import Head
from lmcli.models.model import Kind, Model


@dataclass(frozen=True, slots=True)
class Memory:
    """What the encoder made of source texts: states (b, s, d), and False where a source is padding (b, s)."""

    states_bsd: Tensor
    real_bs: Tensor | None

    def select(self, rows: Tensor) -> Memory:
        """These rows in this order; a row named twice is copied."""
        real_bs = None if self.real_bs is None else self.real_bs.index_select(0, rows)
        return Memory(self.states_bsd.index_select(0, rows), real_bs)


class EncoderDecoder(Model):
    """A model of a target text, token by token, given a source text as a whole.

    Targets begin with the padding token, as in T5 and Marian. A family sets `shape`, `embedding` and `head` (None: the
    embedding is the head).
    """

    kind: ClassVar[Kind] = "encoder-decoder"
    objective: ClassVar[str] = "denoise"
    head: nn.Parameter | None

    def encode(self, source_bs: Tensor, real_bs: Tensor | None = None) -> Memory:
        """Read sources; where `real_bs` is False there is padding, on the right."""
        raise NotImplementedError

    def hidden(self, tokens_bt: Tensor, memory: Memory, cache: Cache | None = None) -> Tensor:
        """The decoder's states for target tokens, (b, t, d), in the precision of matrix products.

        With a cache, which must be of this memory, the tokens go on where it ends.
        """
        raise NotImplementedError

    @property
    def output(self) -> Head:
        return Head(self.embedding if self.head is None else self.head)

    def new_cache(self, capacity: int) -> Cache:
        """An empty cache for `capacity` target positions; what it keeps of the memory is filled at the first use."""
        return Cache(cast(EncoderDecoderShape, self.shape).decoder_depth, capacity)

    def forward(self, source_bs: Tensor, tokens_bt: Tensor) -> Tensor:
        """Logits of the target token after each position, (b, t, v)."""
        return self.logits(self.hidden(tokens_bt, self.encode(source_bs)))
