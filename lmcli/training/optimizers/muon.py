"""Muon for hidden matrices and Adam for the rest: the recipe that reaches a loss in the fewest steps at small scale."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Lt

from lmcli.config import section

if TYPE_CHECKING:
    from torch import Tensor, nn


@section
class Muon:
    """Groups as in modded-nanogpt's simple recipe, rates tuned for a million weights and small batches."""

    lr: Annotated[float, "peak learning rate of hidden matrices", Gt(0)] = 0.015
    momentum: Annotated[float, "memory of the gradient of hidden matrices", Ge(0), Lt(1)] = 0.9
    weight_decay: Annotated[float, "decay of hidden matrices, per unit of learning rate", Ge(0)] = 0.1
    embedding_lr: Annotated[float, "peak learning rate of the embedding", Gt(0)] = 0.04
    position_lr: Annotated[float, "peak learning rate of vectors for positions and segments", Gt(0)] = 0.001
    head_lr: Annotated[float, "peak learning rate of an output layer of its own", Gt(0)] = 0.005
    gain_lr: Annotated[float, "peak learning rate of gains and biases", Gt(0)] = 5e-3
    beta1: Annotated[float, "Adam's memory of the gradient", Ge(0), Lt(1)] = 0.8
    beta2: Annotated[float, "Adam's memory of the squared gradient", Ge(0), Lt(1)] = 0.95
    eps: Annotated[float, "Adam's eps", Gt(0)] = 1e-10

    def build(self, model: nn.Module) -> MuonWithAdam:
        """Hidden matrices under Muon; embedding, output layer, gains and biases under Adam."""
        from lmcli.training.optimizers.adamw import Adam
        from lmcli.training.optimizers.optimizer import is_matrix, named_parameters
        from lmcli.training.optimizers.orthogonal import OrthogonalMomentum

        named = named_parameters(model)
        hidden = {name: p for name, p in named.items() if is_matrix(name, p)}
        heads = {name: p for name, p in named.items() if name.endswith("head")}
        places = {name: p for name, p in named.items() if name.endswith(("positions", "types"))}
        tables = {name: p for name, p in named.items() if p.ndim >= 2 and name not in {**hidden, **heads, **places}}
        gains = {name: p for name, p in named.items() if p.ndim < 2}
        shared = {"betas": (self.beta1, self.beta2), "eps": self.eps, "weight_decay": 0.0}
        rates = ((tables, self.embedding_lr), (places, self.position_lr), (heads, self.head_lr), (gains, self.gain_lr))
        adam = Adam([{"named": group, "lr": lr, **shared} for group, lr in rates])
        return MuonWithAdam(OrthogonalMomentum(hidden, self.lr, self.momentum, self.weight_decay), adam)


class MuonWithAdam:
    """Two optimizers over disjoint parameters as one."""

    def __init__(self, muon: OrthogonalMomentum, adam: Adam) -> None:
        self._parts = (muon, adam)

    def step(self, scale: float) -> None:
        for part in self._parts:
            part.step(scale)

    def state(self) -> dict[str, Tensor]:
        return {name: tensor for part in self._parts for name, tensor in part.state().items()}

    def blank(self) -> dict[str, Tensor]:
        return self.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        from lmcli.training.optimizers.optimizer import restore

        restore(self.state(), state)


if TYPE_CHECKING:
    from lmcli.training.optimizers.adamw import Adam
    from lmcli.training.optimizers.orthogonal import OrthogonalMomentum
