"""Writing for sources, token by token: what an encoder-decoder reads once, and its decoder's steps with a cache."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lmcli.models.encoder_decoder import EncoderDecoder


class Answering:
    """Targets that a model writes at the same time; `logits` (b, v) are its scores for the next token of each.

    A target has at most `context` tokens: `limit` is how many can be written.
    """

    def __init__(self, model: EncoderDecoder, sources: Sequence[Sequence[int]], start_id: int, max_tokens: int) -> None:
        """Read the sources, the first `context` tokens of each; targets begin with `start_id`."""
        self.model = model
        self.device = model.embedding.device
        self.limit = min(max_tokens, model.shape.context)
        rows = [list(source[: model.shape.context]) for source in sources]
        longest = max(map(len, rows))
        real_bs = torch.tensor([[place < len(row) for place in range(longest)] for row in rows], device=self.device)
        filled = [row + [start_id] * (longest - len(row)) for row in rows]
        self.memory = model.encode(torch.tensor(filled, device=self.device), None if real_bs.all() else real_bs)
        self.cache = model.new_cache(self.limit)
        self.logits = self._read([start_id] * len(rows))

    def feed(self, ids: Sequence[int]) -> None:
        """Read one more token in each row."""
        self.logits = self._read(ids)

    def select(self, rows: Sequence[int]) -> None:
        """Go on with these rows only, in this order; a row named twice is copied."""
        index = torch.tensor(rows, device=self.device)
        self.logits = self.logits[index]
        self.memory = self.memory.select(index)
        self.cache.select(index)

    def _read(self, ids: Sequence[int]) -> Tensor:
        tokens_b1 = torch.tensor(ids, device=self.device)[:, None]
        return self.model.logits(self.model.hidden(tokens_b1, self.memory, self.cache)[:, -1])
