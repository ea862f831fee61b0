"""How the tokens of a step are arranged: context, rows, and rows at once."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from lmcli.errors import InputError
from lmcli.training.config import TrainConfig

BATCH, BATCH_GROWTH = 6.1, 0.4
"""An automatic batch is BATCH x (tokens that the run sees)^BATCH_GROWTH: the more there is to learn, the finer its
gradient must be, and the more steps there are as well. (The power law of nanochat has the exponent 0.38, whose authors
measured it at a thousand times as many tokens.)"""
CONTEXTS = {32: 200, 64: 2_000, 128: 60_000, 256: 1_000_000, 512: 30_000_000}
"""Context -> the tokens of a corpus from which on it pays. In 300 steps on 500,000 tokens, 128 reached 1.97 bits per
byte, 64 reached 1.98 and 256 reached 2.01."""
TOKENS_FOR_CONTEXT = {32: 0, 64: 20_000, 128: 200_000, 256: 1_500_000, 512: 100_000_000}
"""Context -> the tokens of a run from which on it pays: far-away text is learned late."""
SMALLEST, LARGEST = 512, 32768
"""Limits of an automatic batch, in tokens."""
AT_ONCE = {"cpu": 8192}
"""Tokens of a micro-batch: on a CPU more only fill the memory."""
AT_ONCE_ELSEWHERE = 65536
COMMON = 500
"""Tokens of the corpus for each word of the vocabulary, from which on none is rare, as where words are characters."""
MOST_PIECES, SHORTEST_PIECE = 8, 32
"""Of a window in the first steps of a run: how many, and how many tokens each has at least."""


@dataclass(frozen=True, slots=True)
class Layout:
    """`rows` windows of `context` tokens in a step, `micro_rows` of them computed at once."""

    context: int
    rows: int
    micro_rows: int

    @property
    def tokens(self) -> int:
        return self.rows * self.context

    def shared(self, processes: int) -> Layout:
        """The same step in micro-batches small enough that each process gets one."""
        return replace(self, micro_rows=min(self.micro_rows, math.ceil(self.rows / processes)))


def context_for(train_tokens: int, tokens_seen: float, asked: int | Literal["auto"]) -> int:
    """A context that the corpus can fill and the run is long enough to use.

    Raises InputError when the corpus can't fill the one that was asked for.
    """
    if asked == "auto":
        tokens_seen = max(0.0, tokens_seen)  # what is left of a time may be less than nothing
        fitting = [
            size
            for size, tokens in CONTEXTS.items()
            if tokens <= train_tokens and TOKENS_FOR_CONTEXT[size] <= tokens_seen
        ]
        return fitting[-1] if fitting else max(1, (train_tokens - 1) // 4)
    if train_tokens < asked + 1:
        message = f"the training side has {train_tokens} tokens, fewer than one window of model.context = {asked} needs"
        raise InputError(message, f"add text, or set model.context to at most {train_tokens - 1}")
    return asked


def pieces_of(context: int) -> int:
    """Into how many pieces the first steps cut their windows; 1 where they would be too short."""
    numbers = range(2, MOST_PIECES + 1)
    return max((n for n in numbers if context % n == 0 and context // n >= SHORTEST_PIECE), default=1)


def has_common_words(train_tokens: int, vocab_size: int) -> bool:
    """Whether no word of the vocabulary is rare."""
    return train_tokens >= COMMON * vocab_size


def dropout_for(epochs: float, train_tokens: int, vocab_size: int) -> float:
    """None while the text is new; the more often it comes again, the more, and sooner where words of the vocabulary are
    rare (docs/performance.md, Passes)."""
    new = 5.0 if has_common_words(train_tokens, vocab_size) else 3.5
    return 0.0 if epochs < new else 0.1 if epochs < new + 1.5 else 0.2


def layout_for(tokens_seen: float, train_tokens: int, context: int, train: TrainConfig, device: str) -> Layout:
    """The layout of a run that is to see `tokens_seen` tokens; a batch never holds more than an epoch.

    Raises InputError when a batch was asked for that the corpus can't fill.
    """
    windows = max(1, (train_tokens - 1) // context)
    if train.batch_tokens == "auto":
        tokens = 2 ** round(math.log2(BATCH * max(1.0, tokens_seen) ** BATCH_GROWTH))
        rows = max(1, min(windows, min(LARGEST, max(SMALLEST, tokens)) // context))
    else:
        rows = max(1, round(train.batch_tokens / context))
        if rows > windows:
            there = f"the {windows} windows of {context} tokens that the corpus has"
            message = f"train.batch_tokens = {train.batch_tokens} is more than {there}"
            raise InputError(message, f"set it to at most {windows * context}, or add text")
    micro_rows = max(1, at_once(device) // context) if train.micro_batch == "auto" else train.micro_batch
    return Layout(context, rows, min(rows, micro_rows))


def at_once(device: str) -> int:
    """Tokens of an automatic micro-batch, padding and prompts included."""
    return AT_ONCE.get(device, AT_ONCE_ELSEWHERE)
