"""An exponential moving average of the weights (Polyak & Juditsky, 1992), kept beside the ones that are trained."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from lmcli.training.optimizers.optimizer import Optimizer, restore
from lmcli.training.parts import local, part_like

MEAN = "mean"
UPDATES = "mean.updates"


class Averaging:
    """An optimizer that also moves the average: its state holds both, so that a run goes on exactly.

    After update t the average is d * average + (1 - d) * weights with d = min(decay, (1 + t) / (10 + t)), so that the
    weights that a run began with are soon forgotten; the formula is TensorFlow's (`tf.train.ExponentialMovingAverage`).
    """

    def __init__(self, inner: Optimizer, model: nn.Module, decay: float) -> None:
        self._inner, self._decay = inner, decay
        named = dict(model.named_parameters())
        self._named = named
        self._means: list[Tensor] = [weight.to(torch.float32, copy=True) for weight in self._weights]
        self._updates = torch.zeros((), dtype=torch.int64)

    @property
    def _weights(self) -> list[Tensor]:
        """What this process holds of them."""
        return [local(parameter.detach()) for parameter in self._named.values()]

    def step(self, scale: float) -> None:
        self._inner.step(scale)
        self._updates += 1
        count = int(self._updates)
        decay = min(self._decay, (1 + count) / (10 + count))
        torch._foreach_lerp_(self._means, [weight.float() for weight in self._weights], 1 - decay)

    def state(self) -> dict[str, Tensor]:
        return {**self._inner.state(), **self._own_state()}

    def blank(self) -> dict[str, Tensor]:
        return {**self._inner.blank(), **self._own_state()}

    def _own_state(self) -> dict[str, Tensor]:
        pairs = zip(self._named.items(), self._means, strict=True)
        means = {f"{name}.{MEAN}": part_like(mean, parameter) for (name, parameter), mean in pairs}
        return {**means, UPDATES: self._updates}

    def load(self, state: Mapping[str, Tensor]) -> None:
        own = self._own_state()
        restore(own, {name: tensor for name, tensor in state.items() if name in own})
        self._inner.load({name: tensor for name, tensor in state.items() if name not in own})

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """Inside the block the model has the average as its weights; afterwards it has its own again, to the bit."""
        own = [weight.clone() for weight in self._weights]
        torch._foreach_copy_(self._weights, self._means)
        try:
            yield
        finally:
            torch._foreach_copy_(self._weights, own)


def best_view(optimizer: Optimizer) -> contextlib.AbstractContextManager[None]:
    """A block in which the model has the weights that count: the average where there is one."""
    return optimizer.shown() if isinstance(optimizer, Averaging) else contextlib.nullcontext()
