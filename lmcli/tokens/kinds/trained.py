"""What each kind's `train(texts, size, config, progress)` returns."""

from __future__ import annotations

from dataclasses import dataclass

import tokenizers


@dataclass(frozen=True)
class Trained:
    """A tokenizer without its special tokens yet; `wanted` is the vocabulary asked for, special tokens left out."""

    backend: tokenizers.Tokenizer
    wanted: int | None = None
    sampled_bytes: int = 0
    left_out_characters: int = 0
