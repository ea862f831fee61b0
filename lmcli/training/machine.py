"""What a token costs on a machine, for planning without a corpus: assumed, or measured on random tokens."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from lmcli.models.config import ModelConfig
from lmcli.models.device import Compute
from lmcli.models.families import family_of
from lmcli.objectives.building import objective_for
from lmcli.tokens.windows import Windows
from lmcli.training import ladder
from lmcli.training.config import PretrainConfig
from lmcli.training.imagined import AnySetup, RandomTokens
from lmcli.training.layout import Layout
from lmcli.training.planner import Measure
from lmcli.training.shortage import ShortageError, demand
from lmcli.training.sources import WindowSource
from lmcli.training.speed import Speed, measure
from lmcli.training.step import Stepper

MOST_SECONDS = 3.0
"""For one measurement."""
FORWARD_SHARE = 1 / 3
"""Of a training step, for validation: there is no backward pass."""
TOKENS = 2**17
"""Random ones, from which windows are taken."""


def assumed(flops: float, vocab_size: int) -> Measure:
    """A machine that does `flops` floating point operations a second in training, whatever the shape."""

    def cost(model: ModelConfig, layout: Layout, seconds: float) -> Speed:
        shape = family_of(model).shape_of(model, vocab_size)
        train = shape.flops_per_token(layout.context) / flops
        return Speed(train, FORWARD_SHARE * train)

    return cost


def on_random_tokens(vocab_size: int, config: PretrainConfig, compute: Compute) -> Measure:
    """This machine, by the real training step. Raises ShortageError when a shape doesn't fit into its memory, and
    ConfigError for an objective that the family can't be trained for."""
    setup = AnySetup(0, config.label_smoothing, vocab_size=vocab_size)

    def cost(model: ModelConfig, layout: Layout, seconds: float) -> Speed:
        assert model.dropout != "auto"
        demand(model, vocab_size, layout.rows, layout.micro_rows, config, compute).check()
        family = family_of(model)
        objective = objective_for(family, model.family, config.objective, setup)
        shape = family.shape_of(model, vocab_size)
        trained = family(shape, model.dropout).initialise(config.seed).to(compute.device)
        windows = Windows(RandomTokens(vocab_size, TOKENS, config.seed), layout.context, layout.rows, config.seed)
        batches = WindowSource(windows, objective, layout.micro_rows)(1)
        stepper = Stepper.of(trained, objective, config, compute)
        return measure(stepper, batches, min(seconds, MOST_SECONDS))

    return cost


def within(free: int, measure: Measure, vocab_size: int, config: PretrainConfig, compute: Compute) -> Measure:
    """`measure` on a machine with `free` bytes of memory: it raises ShortageError for what doesn't fit into them."""

    def cost(model: ModelConfig, layout: Layout, seconds: float) -> Speed:
        demand(model, vocab_size, layout.rows, layout.micro_rows, config, compute).check(free=free)
        return measure(model, layout, seconds)

    return cost


def by_smaller(measure: Measure, vocab_size: int) -> Measure:
    """`measure`, and for what doesn't fit into the memory by what fits: fewer rows at once, or a smaller shape, whose
    operations cost as much. Raises ShortageError where nothing fits."""

    def effort(model: ModelConfig, layout: Layout) -> float:
        return ladder.effort(family_of(model).shape_of(model, vocab_size), layout.context)

    def cost(model: ModelConfig, layout: Layout, seconds: float) -> Speed:
        try:
            return measure(model, layout, seconds)
        except ShortageError as error:
            shortage = error
        one_row = Layout(layout.context, 1, 1)
        for smaller in [model, *_shapes_like(model)]:
            with contextlib.suppress(ShortageError):
                found, times = measure(smaller, one_row, seconds), effort(model, layout) / effort(smaller, layout)
                return Speed(found.train * times, found.validate * times)
        raise shortage

    return cost


def _shapes_like(model: ModelConfig) -> Iterator[ModelConfig]:
    """The ladder, the largest first, with what else a model has."""
    open_ = replace(model, width="auto", depth="auto", decoder_depth="auto", heads="auto", kv_heads="auto", ffn="auto")
    for rung in reversed(ladder.LADDER):
        yield ladder.dials(open_, rung, int(model.context), 0.0, bool(model.tie_embeddings))
