"""What a training step holds at its peak: arithmetic over the shape, with a small table of measured factors.

A step has three moments at which it may hold the most: the end of the forward pass, when all activations are there; the
end of the backward pass, when all gradients are; and the optimizer's update with its temporary copies. What stays from
step to step comes on top of each. `benchmarks/memory_fit.py` measures the factors anew and prints them.
"""

from __future__ import annotations

from dataclasses import dataclass

from lmcli.models.shape import Shape


@dataclass(frozen=True, kw_only=True)
class Factors:
    """Bytes, for one precision of matrix products."""

    working: float
    """For each weight in matrix products: its copy in that precision, kept through a step."""
    gradient: float
    """For each trained number."""
    width: float
    """For each token, block and channel of the hidden state."""
    ffn: float
    """For each token, block and channel of the feed-forward layer."""
    score: float
    """For each token, block, head with a trained bias and position that it looks at: kept weights and what their
    gradient takes, by arithmetic; this one is not fitted."""
    logit: float
    """For each logit that the loss holds at once."""
    head: float
    """For each weight of the output layer, while the loss is computed."""


FACTORS = {
    "float32": Factors(working=0, gradient=4, width=86.6, ffn=15.6, score=6, logit=22.8, head=9.7),
    "bfloat16": Factors(working=2, gradient=4, width=45.3, ffn=10.2, score=3, logit=18.6, head=12.5),
}
BASE = 114e6
"""Bytes that any step takes: code that is loaded with the first one, and what the allocator keeps."""
LOGITS_AT_ONCE = 2**21
"""As the loss cuts them (`objectives/cross_entropy.py`)."""


@dataclass(frozen=True, slots=True)
class OptimizerFactors:
    """Bytes of state for each weight of a hidden matrix and for each other number; bytes of temporary copies for each
    weight of the largest stack of equal matrices, and for each number of all."""

    matrix: float
    other: float
    update: float = 0.0
    temporary: float = 0.0


OPTIMIZERS = {
    "adamw": OptimizerFactors(8, 8),
    "adam": OptimizerFactors(8, 8),
    "sgd": OptimizerFactors(4, 4),
    "adagrad": OptimizerFactors(4, 4),
    "muon": OptimizerFactors(4, 8, 31.7),
    "adafactor": OptimizerFactors(0, 0, temporary=4),
}
ANY_OPTIMIZER = OptimizerFactors(8, 8)


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes of one process at its peak, beside the program with its libraries. Not all parts are held at one time."""

    weights: int
    """With the working copy."""
    optimizer: int
    kept: int
    """The best weights so far, until they are saved."""
    copied: int
    """What a save in the background holds: weights, the optimizer's state, and best weights beside newer ones."""
    gradients: int
    activations: int
    head: int
    """Logits and the gradient of the output layer."""
    update: int
    """The optimizer's temporary copies."""
    accumulates: bool
    """A step has several micro-batches, so that gradients are there beside the activations."""
    cut: int = 0
    """Before the first step, where each process holds a part of the weights: the whole ones, while they are cut up."""

    @property
    def step(self) -> int:
        """The most that a step holds."""
        forward = self.activations + self.head + (self.gradients if self.accumulates else 0)
        most = max(forward, self.gradients + max(self.head, self.update))
        return round(BASE) + max(self.weights + self.optimizer + most, self.cut)

    @property
    def total(self) -> int:
        return self.step + self.kept + self.copied


def estimated(
    shape: Shape,
    *,
    micro_rows: int,
    accumulates: bool,
    dtype: str,
    optimizer: str,
    keeps_best: bool = True,
    recompute: bool = False,
    averaged: bool = False,
    copies: bool = False,
    parts: int = 1,
) -> Memory:
    """The memory of training `shape` with `micro_rows` rows of its context at once, by an optimizer of that name.

    `recompute` keeps what enters each block, and the rest of one block at a time. `copies` are those of
    checkpoints that are written in the background. Where so many processes hold one of `parts` of all weights each,
    those of two blocks and all outside of blocks are whole at one time.
    """
    factors = FACTORS[dtype]
    rule = OPTIMIZERS.get(optimizer, ANY_OPTIMIZER)
    numbers, matrices = shape.parameters, shape.hidden_matmul_parameters
    tokens = micro_rows * shape.context
    own = 4 * numbers // parts
    whole = numbers - matrices + 2 * matrices // shape.blocks if parts > 1 else 0
    state = round(rule.matrix * matrices + rule.other * (numbers - matrices)) // parts + (own if averaged else 0)
    return Memory(
        weights=round(own + 4 * whole + factors.working * shape.matmul_parameters),
        optimizer=state,
        kept=own if keeps_best else 0,
        copied=own + state + (own if keeps_best else 0) if copies else 0,
        gradients=round(factors.gradient * (numbers / parts + whole)),
        activations=round(tokens * sum(_activation_bytes(part, factors, dtype, recompute) for part in shape.networks)),
        head=_head_bytes(shape, tokens, factors),
        update=round(rule.update * shape.blocks * 2 * shape.width * shape.ffn + rule.temporary * numbers),
        accumulates=accumulates,
        cut=4 * numbers + own if parts > 1 else 0,
    )


def _activation_bytes(shape: Shape, factors: Factors, dtype: str, recompute: bool) -> float:
    """For one token."""
    if not recompute:
        return shape.blocks * _block_bytes(shape, factors)
    entering = shape.blocks * shape.width * (2 if dtype == "bfloat16" else 4)
    return entering + 2 * _block_bytes(shape, factors)  # what is computed again, and its gradients


def _block_bytes(shape: Shape, factors: Factors) -> float:
    """Activations of one block for one token."""
    return factors.width * shape.width + factors.ffn * shape.ffn + factors.score * shape.biased_heads * shape.context


def _head_bytes(shape: Shape, tokens: int, factors: Factors) -> int:
    logits = min(tokens * shape.vocab_size, max(LOGITS_AT_ONCE, 64 * shape.vocab_size))
    return round(factors.logit * logits + factors.head * shape.vocab_size * shape.width)
