"""Reading on, token by token: prefill, steps with a cache, and what happens at the end of the context."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from lmcli.models.decoder import Decoder


class Decoding:
    """Texts that a model reads at the same time; `logits` (b, v) are its scores for the next token of each.

    Shorter texts are padded on the left. A text that has filled the context goes on from its last half: those tokens
    are read again from position 0, so text can be longer than the context at the cost of what lies further back.
    """

    def __init__(self, model: Decoder, prompts: Sequence[Sequence[int]], max_tokens: int) -> None:
        """Read the prompts, the last `context` tokens of each; at most `max_tokens` are fed afterwards."""
        self.model = model
        self.context = model.reach
        self.device = model.embedding.device
        self.limit = max_tokens
        self.tokens = [list(prompt[-self.context :]) for prompt in prompts]
        length = max(map(len, self.tokens))
        self.padding = [length - len(tokens) for tokens in self.tokens]
        self.cache = model.new_cache(min(self.context, length + max_tokens))
        self.logits = self._read([[0] * pad + tokens for pad, tokens in zip(self.padding, self.tokens, strict=True)])

    def feed(self, ids: Sequence[int]) -> None:
        """Read one more token in each row."""
        self._slide([row for row, pad in enumerate(self.padding) if self.cache.length - pad == self.context])
        for tokens, token in zip(self.tokens, ids, strict=True):
            tokens.append(token)
        self.logits = self._read([[token] for token in ids])

    def select(self, rows: Sequence[int]) -> None:
        """Go on with these rows only, in this order; a row named twice is copied."""
        index = torch.tensor(rows, device=self.device)
        self.logits = self.logits[index]
        self.tokens = [list(self.tokens[row]) for row in rows]
        self.padding = [self.padding[row] for row in rows]
        self.cache.select(index)
        self._trim()

    def _read(self, ids_bt: list[list[int]]) -> Tensor:
        padding_b = torch.tensor(self.padding, device=self.device) if any(self.padding) else None
        hidden_btd = self.model.hidden(torch.tensor(ids_bt, device=self.device), self.cache, padding_b)
        return self.model.logits(hidden_btd[:, -1])

    def _slide(self, rows: list[int]) -> None:
        """Let full rows go on from their last half."""
        if not rows:
            return
        keep = self.context // 2
        if keep:
            cache = self.model.new_cache(keep)
            tails = [self.tokens[row][-keep:] for row in rows]
            self.model.hidden(torch.tensor(tails, device=self.device), cache)
            self.cache.put_rows(torch.tensor(rows, device=self.device), cache)
        for row in rows:
            self.padding[row] = self.cache.length - keep
        self._trim()

    def _trim(self) -> None:
        """Forget columns that are padding in every row; so the longest row alone decides how full the cache is."""
        spare = min(self.padding)
        if spare:
            self.cache.drop_left(spare)
            self.padding = [pad - spare for pad in self.padding]
