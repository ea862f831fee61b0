"""One optimizer step: the same code for training and for measuring how long training will take."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from lmcli.models.device import Compute
from lmcli.models.fusion import check_compiler, fusing
from lmcli.models.model import Model
from lmcli.objectives.batch import Batch, Sums
from lmcli.objectives.objective import Objective
from lmcli.training.average import Averaging
from lmcli.training.config import TrainConfig
from lmcli.training.optimizers.optimizer import Optimizer
from lmcli.training.parts import local
from lmcli.training.world import SOLO, World


@dataclass(frozen=True, slots=True)
class StepResult:
    """Loss and norm of the gradient, both before the update; how many tokens they are over.

    The loss is the weighted sum of its terms, each in nats for each of its targets.
    """

    loss: float
    grad_norm: float
    tokens: int
    terms: Mapping[str, float]

    @property
    def finite(self) -> bool:
        return math.isfinite(self.loss) and math.isfinite(self.grad_norm)


class Stepper:
    """Moves a model by one step at a time; knows nothing of files, time or progress."""

    def __init__(
        self,
        model: nn.Module,
        objective: Objective,
        optimizer: Optimizer,
        *,
        clip: float,
        l2: float = 0.0,
        seed: int,
        device: str = "cpu",
        autocast: Callable[[], AbstractContextManager[Any]],
        fuse: bool = False,
        world: World = SOLO,
    ) -> None:
        self.model = model
        self.optimizer = optimizer
        self._objective = objective
        self._weights = objective.weights
        self._clip = clip
        self._l2 = l2
        self._seed = seed
        self._device = device
        self._autocast = autocast
        self._fuse = fuse
        self.world = world
        self._parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]

    @classmethod
    def of(
        cls, model: nn.Module, objective: Objective, config: TrainConfig, compute: Compute, world: World = SOLO
    ) -> Stepper:
        """A stepper with a fresh optimizer, as the settings ask for; `world.prepare` comes before."""
        if isinstance(model, Model):
            model.recompute = config.recompute
        optimizer: Optimizer = config.optimizer.build(model)
        if config.ema:
            optimizer = Averaging(optimizer, model, config.ema)
        fuse = config.compile and torch.device(compute.device).type == "cpu"
        if fuse:
            check_compiler()
        elif config.compile:
            compile_passes(model, compute.device)
        return cls(
            model,
            objective,
            optimizer,
            clip=config.clip,
            l2=config.l2,
            seed=config.seed,
            device=compute.device,
            autocast=compute.autocast,
            fuse=fuse,
            world=world,
        )

    def step(self, number: int, micro_batches: Sequence[Batch], scale: float, check: Callable[[], None]) -> StepResult:
        """Step `number` at `scale` times the learning rates, unless loss or gradient are not finite.

        Each term of the loss is the sum of its nats over the step divided by its targets in the step, however that is
        cut into micro-batches and those are shared by processes. Dropout depends on (seed, step, micro-batch) only.
        `check` is called before each micro-batch and may raise: the weights are then as before the step.
        """
        counts = {term: max(1, sum(batch.counts.get(term, 0) for batch in micro_batches)) for term in self._weights}
        try:
            own = self._gradient(number, micro_batches, counts, check)
            self.world.reduce(self._parameters)
            self._add_penalty()
            norm = self._clipped_norm()
            result = self._result(self.world.sum(*own.values()), counts, norm, sum(b.tokens for b in micro_batches))
            if result.finite:
                self.optimizer.step(scale)
        finally:
            for parameter in self._parameters:
                parameter.grad = None
        return result

    def evaluate(self, batch: Batch) -> Sums:
        """The loss of one batch, as validation computes it; the model must be in the mode for that."""
        with self._autocast():
            return self._objective.evaluate(self.model, batch.to(self._device))

    def has_finite_weights(self) -> bool:
        """Whether all weights are finite, at every process."""
        bad = any(not bool(torch.isfinite(local(parameter.detach())).all()) for parameter in self._parameters)
        return not self.world.highest(int(bad))

    def _gradient(
        self, number: int, batches: Sequence[Batch], counts: Mapping[str, int], check: Callable[[], None]
    ) -> dict[str, float]:
        """Adds up the gradient; the sums of nats of this process."""
        sums = dict.fromkeys(self._weights, 0.0)
        for index, batch in self.world.share(batches):
            check()
            if not any(batch.counts.values()) and not self.world.is_sharded:  # shards are computed by all at once
                continue
            _seed(self._device, step_seed(self._seed, number, index))
            with fusing(self._fuse):
                with self._autocast():
                    losses = self._objective.losses(self.model, batch.to(self._device))
                parts = [nats * (self._weights[term] / counts[term]) for term, nats in losses.items()]
                sum(parts[1:], start=parts[0]).backward()  # type: ignore[no-untyped-call]
            for term, nats in losses.items():
                sums[term] += nats.item()
        return sums

    def _result(self, sums: Sequence[float], counts: Mapping[str, int], norm: float, tokens: int) -> StepResult:
        means = {term: nats / counts[term] for (term, nats) in zip(self._weights, sums, strict=True)}
        return StepResult(sum(self._weights[term] * mean for term, mean in means.items()), norm, tokens, means)

    @torch.no_grad()
    def _add_penalty(self) -> None:
        """The gradient of l2 / 2 * |w|^2 over all matrices, without that term in the loss that is told."""
        pairs = [(local(p.grad), local(p.data)) for p in self._parameters if p.ndim >= 2 and p.grad is not None]
        if self._l2 and pairs:
            gradients, weights = zip(*pairs, strict=True)
            torch._foreach_add_(gradients, weights, alpha=self._l2)

    def _clipped_norm(self) -> float:
        gradients = [local(parameter.grad) for parameter in self._parameters if parameter.grad is not None]
        norm = self.world.norm(_norm(gradients))
        if self._clip and norm > self._clip and math.isfinite(norm):
            torch._foreach_mul_(gradients, self._clip / norm)
        return norm


def compile_passes(model: nn.Module, device: str) -> None:
    """Replace `model.hidden` by compiled code; on CUDA a step's launches are recorded once and played back (graphs)."""
    mode = "reduce-overhead" if torch.device(device).type == "cuda" else "default"
    model.hidden = torch.compile(model.hidden, mode=mode)  # type: ignore[arg-type, assignment]


def _seed(device: str, seed: int) -> None:
    """Seed the generator that dropout uses; `torch.manual_seed` also keeps a note for each device that isn't there."""
    torch.default_generator.manual_seed(seed)
    if device != "cpu":
        torch.get_device_module(device).manual_seed(seed)


def _norm(gradients: list[Tensor]) -> float:
    if not gradients:
        return 0.0
    return float(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(gradients))))


def step_seed(seed: int, step: int, micro_batch: int) -> int:
    """The seed of all that is random in one micro-batch: 63 bits of SHA-256."""
    digest = hashlib.sha256(f"{seed}/{step}/{micro_batch}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
