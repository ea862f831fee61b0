"""What a model will reach, before it is trained: a law fitted to measured runs, and how far off it may be.

A model first learns how frequent each token is, and ends somewhere below what a general compressor makes of the text;
how far it gets on the way falls by a power of the tokens seen, where passes over the same text count less and less
(Muennighoff et al., 2023), and a term that falls by a power of the weights comes on top (as in Hoffmann et al., 2022).
`benchmarks/loss_law.py` makes the runs and fits the constants; docs/plan.md has the table.
"""

from __future__ import annotations

import bz2
import math
from dataclasses import dataclass

import numpy as np

SAMPLE = 256_000
"""Bytes of the text that are compressed; fewer compress worse."""


@dataclass(frozen=True, kw_only=True)
class Law:
    """bits = end + (unigram - end) x (1 + tokens / d)^-beta + compressed x (weights / n)^-alpha, with
    end = floor x compressed."""

    floor: float
    n: float
    alpha: float
    d: float
    beta: float


LAW = Law(floor=0.596, n=2900, alpha=0.511, d=15700, beta=0.447)
REPEATS = 15.0
"""Passes after the first one that are worth all but 1/e of what any number of them is: about Muennighoff's R*."""
BAND = 0.2
"""Of the expectation, to both sides."""


@dataclass(frozen=True, slots=True)
class Text:
    """The training side: tokens, the bytes that they stand for, the vocabulary, and bits for each byte of the text when
    tokens are told by their frequency alone, and when bzip2 compresses a sample."""

    tokens: int
    text_bytes: int
    vocab_size: int
    unigram: float
    compressed: float


@dataclass(frozen=True, slots=True)
class Band:
    """Bits for each byte of held-out text."""

    low: float
    middle: float
    high: float


def expected(weights: int, seen: int, text: Text, law: Law = LAW) -> Band:
    """The band for a model with `weights` in matrix products that sees `seen` tokens of `text`.

    No model that learns is worse than one that gives all words the same probability.
    """
    passes = seen / text.tokens
    worth = passes if passes <= 1 else 1 + REPEATS * (1 - math.exp(-(passes - 1) / REPEATS))
    left = (1 + worth * text.tokens / law.d) ** -law.beta
    end = min(law.floor * text.compressed, text.unigram)
    bits = end + (text.unigram - end) * left + text.compressed * (weights / law.n) ** -law.alpha
    guessing = math.log2(text.vocab_size) * text.tokens / text.text_bytes
    middle = min(guessing, bits)
    return Band((1 - BAND) * middle, middle, min(guessing, (1 + BAND) * bits))


def unigram_bits(tokens: np.ndarray, text_bytes: float) -> float:
    """Bits for each byte of a text of `text_bytes`, when each of its tokens costs -log2 of its frequency."""
    counts = np.bincount(tokens)
    shares = counts[counts > 0] / max(1, len(tokens))
    return float(-(shares * np.log2(shares)).sum() * len(tokens) / max(1.0, text_bytes))


def compressed_bits(sample: bytes) -> float:
    """Bits for each byte after `bzip2 -9`."""
    return 8 * len(bz2.compress(sample, 9)) / max(1, len(sample))


def english(tokens: int, vocab_size: int) -> Text:
    """What to assume of English that is not at hand.

    A token of a byte-level BPE stands for 3.41 bytes with 3,072 words and 3.8 with 8,192; up to 256 words it is taken
    to be a character. Its frequency costs about 0.8 x log2 of the vocabulary (0.72 to 0.83 on three corpora).
    """
    each = 1.0 if vocab_size <= 256 else max(1.0, 3.41 + 0.4 * math.log(vocab_size / 3072))
    return Text(tokens, round(tokens * each), vocab_size, 0.8 * math.log2(vocab_size) / each, 2.3)
