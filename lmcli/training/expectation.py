"""What a model will reach, before it is trained: a law fitted to measured runs, and how far off it may be.

Bits per byte fall with the weights in matrix products and with the bytes seen, each by a power (the form of Hoffmann et
al., 2022), where passes over the same text count less and less (Muennighoff et al., 2023); and they scale with how well
a general compressor does on a sample of the text, which tells prose from code from tables without training anything.
`benchmarks/loss_law.py` makes the runs and fits the constants; docs/plan.md has the table.
"""

from __future__ import annotations

import lzma
import math
from dataclasses import dataclass

SAMPLE = 256_000
"""Bytes of the text that are compressed; fewer compress worse."""
ENGLISH = 2.9
"""Bits for each byte of such a sample of English, where there is no text to look at."""


@dataclass(frozen=True, kw_only=True)
class Law:
    """bits = compressed x (floor + (weights / n)^-alpha + (bytes / d)^-beta)."""

    floor: float
    n: float
    alpha: float
    d: float
    beta: float
    repeats: float
    """Passes after the first one that are worth all but 1/e of what any number of them is."""


LAW = Law(floor=0.35, n=1e4, alpha=0.35, d=1e5, beta=0.35, repeats=10.0)
BAND = 0.15
"""Of the expectation, to both sides."""


@dataclass(frozen=True, slots=True)
class Text:
    """The training side: tokens, the bytes that they stand for, the vocabulary, and bits per byte of a sample (xz)."""

    tokens: int
    text_bytes: int
    vocab_size: int
    compressed: float


@dataclass(frozen=True, slots=True)
class Band:
    """Bits for each byte of held-out text."""

    low: float
    middle: float
    high: float


def expected(weights: int, seen: int, text: Text, law: Law | None = None) -> Band:
    """The band for a model with `weights` in matrix products that sees `seen` tokens of `text`.

    No model that learns is worse than one that gives all words the same probability.
    """
    law = law or LAW
    each = text.text_bytes / text.tokens
    passes = seen / text.tokens
    worth = passes if passes <= 1 else 1 + law.repeats * (1 - math.exp(-(passes - 1) / law.repeats))
    learned = max(1.0, worth * text.text_bytes)
    bits = text.compressed * (law.floor + (weights / law.n) ** -law.alpha + (learned / law.d) ** -law.beta)
    guessing = math.log2(text.vocab_size) / each
    middle = min(guessing, bits)
    return Band((1 - BAND) * middle, middle, min(guessing, (1 + BAND) * bits))


def compressed_bits(sample: bytes) -> float:
    """Bits for each byte after `xz -6`, with what its container takes left out."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 6}]
    return 8 * len(lzma.compress(sample, lzma.FORMAT_RAW, filters=filters)) / max(1, len(sample))


def bytes_per_token(vocab_size: int) -> float:
    """About how many bytes of English a token of a byte-level BPE stands for; up to 256 words it is a character.

    Measured: 3.41 with 3,072 words and 3.8 with 8,192.
    """
    return 1.0 if vocab_size <= 256 else max(1.0, 3.41 + 0.4 * math.log(vocab_size / 3072))
