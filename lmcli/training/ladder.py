"""Which shape fits how much data and computation."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

from lmcli.errors import ConfigError
from lmcli.models.config import ModelConfig
from lmcli.models.families import family_of
from lmcli.models.shape import Shape
from lmcli.training.layout import has_common_words


@dataclass(frozen=True, slots=True)
class Rung:
    width: int
    depth: int


LADDER = (
    Rung(64, 2),
    Rung(128, 2),
    Rung(128, 3),
    Rung(128, 4),
    Rung(192, 3),
    Rung(192, 4),
    Rung(256, 4),
    Rung(256, 6),
    Rung(384, 6),
    Rung(384, 8),
    Rung(512, 8),
    Rung(640, 10),
    Rung(768, 12),
)

TOKENS_PER_WEIGHT = 0.55
"""Tokens seen for each weight of a matrix product: fewer are too few to fill a larger shape, and of many a smaller one
makes too little (docs/performance.md has the runs)."""
WEIGHTS_PER_TOKEN = 16.0
"""Weights for each different token, up to which larger shapes were seen to learn more from the same few passes."""
WEIGHTS_PER_COMMON_TOKEN = 6.0
"""The same where no word of the vocabulary is rare, as with characters, which say less each: on a million of them
8 x 384 was behind 6 x 256 although it had three times as long."""


OVERHEAD = 110
"""Width at which a step takes twice as long as its operations would at the best rate: what goes on between matrix
products shrinks with the width. On two cores with bfloat16 units 4 x 128 reached 45 % and 6 x 384 76 % of that rate."""
TOKENS_TO_UNTIE = 80
"""Tokens of the corpus for each word of the vocabulary, from which on an output layer of its own pays: on 2 MB of
English with 130 it gained 0.035 bits per byte, on 0.2 MB with 38 it lost as much."""


def dials(model: ModelConfig, rung: Rung, context: int, dropout: float, tie: bool) -> ModelConfig:
    """`model` with every `auto` taken from the rung; what was set stays, and the rest follows it."""
    width = rung.width if model.width == "auto" else model.width
    family = family_of(model)
    shape, without = family.shape_type, family.without
    heads = heads_for(width) if model.heads == "auto" and "heads" not in without else model.heads
    ffn = ffn_for(width, shape.ffn_ratio) if model.ffn == "auto" and "ffn" not in without else model.ffn
    depth = min(rung.depth, shape.most_layers or rung.depth)
    return dataclasses.replace(
        model,
        width=width,
        depth=depth if model.depth == "auto" else model.depth,
        heads=heads,
        kv_heads=heads if model.kv_heads == "auto" and "kv_heads" in family.settings else model.kv_heads,
        ffn=ffn,
        context=context if model.context == "auto" else model.context,
        dropout=dropout if model.dropout == "auto" else model.dropout,
        tie_embeddings=(tie or family.ties) if model.tie_embeddings == "auto" else model.tie_embeddings,
    )


def heads_for(width: int) -> int:
    """Heads of 64 channels, or of the next larger even size that divides the width."""
    return next((heads for heads in range(max(1, width // 64), 0, -1) if width % (2 * heads) == 0), 1)


def ffn_for(width: int, ratio: float = 8 / 3) -> int:
    """`ratio` times the width, in multiples of 64: with a gate 8/3, which gives as many weights as 4 without one."""
    return max(64, round(width * ratio / 64) * 64)


def tied(train_tokens: int, vocab_size: int) -> bool:
    """Whether the embedding is the output layer too."""
    return train_tokens < TOKENS_TO_UNTIE * vocab_size


def effort(shape: Shape, context: int) -> float:
    """What a training token costs, up to a factor of the machine."""
    return shape.flops_per_token(context) * (1 + OVERHEAD / shape.width)


def choices(model: ModelConfig, vocab_size: int, context: int, tie: bool) -> dict[Rung, Shape]:
    """The ladder as far as `model` leaves it open, smallest first. Raises ConfigError when nothing on it goes with what
    was set, as a width that no number of heads divides."""
    family = family_of(model)
    found: dict[Rung, Shape] = {}
    refused: ConfigError | None = None
    for rung in LADDER:
        try:
            shape = family.shape_of(dials(model, rung, context, 0.0, tie), vocab_size)
        except ConfigError as error:  # other widths may go with it
            refused = refused or error
            continue
        if shape not in found.values():
            found[rung] = shape
    if not found and refused:
        raise refused
    return found


def weights_per_token(train_tokens: int, vocab_size: int) -> float:
    """How many weights a shape may have for each token of the corpus."""
    return WEIGHTS_PER_COMMON_TOKEN if has_common_words(train_tokens, vocab_size) else WEIGHTS_PER_TOKEN


def largest(
    shapes: dict[Rung, Shape], tokens_seen: dict[Rung, float], most_weights: float, enough: float = math.inf
) -> Rung:
    """The largest rung that sees enough tokens (`tokens_seen` for each rung) and isn't too large for the corpus.

    So many as `enough` do for any shape. The smallest one when none sees enough.
    """
    fitting = [
        rung
        for rung, shape in shapes.items()
        if tokens_seen[rung] >= min(enough, TOKENS_PER_WEIGHT * shape.matmul_parameters)
        and shape.matmul_parameters <= most_weights
    ]
    return fitting[-1] if fitting else next(iter(shapes))
