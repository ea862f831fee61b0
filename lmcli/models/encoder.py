"""What every encoder family gives to training and evaluation."""

from __future__ import annotations

from typing import ClassVar

from torch import Tensor

from lmcli.models.model import Kind, Model, Sight


class Encoder(Model):
    """A model of whole texts: each position sees all the others."""

    kind: ClassVar[Kind] = "encoder"
    objective: ClassVar[str] = "masked"

    @property
    def segments(self) -> int:
        """How many segments of a row it tells apart."""
        return int(getattr(self.shape, "types", 1))

    def hidden(
        self,
        tokens_bt: Tensor,
        real_bt: Tensor | None = None,
        types_bt: Tensor | None = None,
        sight: Sight = "both",
    ) -> Tensor:
        """The state after the last block, (b, t, d), in the precision of matrix products.

        Where `real_bt` is False there is padding, on the right: it moves nothing, and its own states mean nothing.
        `types_bt` numbers the segments of a row from 0; a family without segments refuses it.
        """
        raise NotImplementedError

    def pair_logits(self, hidden_btd: Tensor) -> Tensor:
        """(b, 2): whether the second segment of each row follows the first (0) or not (1), as BERT counts.

        For families with a head for "pairs".
        """
        raise NotImplementedError

    def forward(self, tokens_bt: Tensor, real_bt: Tensor | None = None) -> Tensor:
        """Logits of the token at each position, (b, t, v)."""
        return self.logits(self.hidden(tokens_bt, real_bt))
