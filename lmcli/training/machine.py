"""What a token costs on a machine, for planning without a corpus: assumed, or measured on random tokens."""

from __future__ import annotations

import torch

from lmcli.models.config import ModelConfig
from lmcli.models.device import Compute
from lmcli.models.families import family_of
from lmcli.objectives.batch import Batch
from lmcli.objectives.next_token import RunningText
from lmcli.training.config import TrainConfig
from lmcli.training.layout import Layout
from lmcli.training.planner import Measure
from lmcli.training.shortage import demand
from lmcli.training.speed import Speed, measure
from lmcli.training.step import Stepper

MOST_SECONDS = 3.0
"""For one measurement."""
FORWARD_SHARE = 1 / 3
"""Of a training step, for validation: there is no backward pass."""


def assumed(flops: float, vocab_size: int) -> Measure:
    """A machine that does `flops` floating point operations a second in training, whatever the shape."""

    def cost(model: ModelConfig, layout: Layout, seconds: float) -> Speed:
        shape = family_of(model).shape_of(model, vocab_size)
        train = shape.flops_per_token(layout.context) / flops
        return Speed(train, FORWARD_SHARE * train)

    return cost


def on_random_tokens(vocab_size: int, config: TrainConfig, compute: Compute) -> Measure:
    """This machine, by the real training step. Raises MachineError when a shape doesn't fit into its memory."""

    def cost(model: ModelConfig, layout: Layout, seconds: float) -> Speed:
        assert model.dropout != "auto"
        demand(model, vocab_size, layout.rows, layout.micro_rows, config, compute).check()
        family = family_of(model)
        shape = family.shape_of(model, vocab_size)
        decoder = family(shape, model.dropout).initialise(config.seed).to(compute.device)
        batches = random_batches(layout, vocab_size, config.seed)
        stepper = Stepper.of(decoder, RunningText(0), config, compute)
        return measure(stepper, batches, min(seconds, MOST_SECONDS))

    return cost


def random_batches(layout: Layout, vocab_size: int, seed: int) -> list[Batch]:
    """One step of tokens that mean nothing."""
    generator = torch.Generator().manual_seed(seed)
    windows = torch.randint(vocab_size, (layout.rows, layout.context + 1), generator=generator)
    return [RunningText(0).batch(part.numpy()) for part in torch.split(windows, layout.micro_rows)]
