"""Adam with decoupled weight decay (Loshchilov & Hutter, 2019), on torch's fused kernel."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge, Gt, Lt

from lmcli.config import section

if TYPE_CHECKING:
    from torch import Tensor, nn


@section
class AdamW:
    lr: Annotated[float, "peak learning rate", Gt(0)] = 2e-3
    beta1: Annotated[float, "memory of the gradient", Ge(0), Lt(1)] = 0.9
    beta2: Annotated[float, "memory of the squared gradient", Ge(0), Lt(1)] = 0.99
    eps: Annotated[float, "added to the root of the squared gradient", Gt(0)] = 1e-8
    weight_decay: Annotated[float, "decay of matrices, per unit of learning rate", Ge(0)] = 0.1

    def build(self, model: nn.Module) -> Adam:
        """One optimizer over all parameters; only matrices decay."""
        from lmcli.training.optimizers.optimizer import named_parameters

        named = named_parameters(model)
        return Adam(
            [
                self._group({name: p for name, p in named.items() if p.ndim >= 2}, self.weight_decay),
                self._group({name: p for name, p in named.items() if p.ndim < 2}, 0.0),
            ]
        )

    def _group(self, named: dict[str, nn.Parameter], weight_decay: float) -> dict[str, Any]:
        return {
            "named": named,
            "lr": self.lr,
            "betas": (self.beta1, self.beta2),
            "eps": self.eps,
            "weight_decay": weight_decay,
        }


class Adam:
    """Groups {named, lr, betas, eps, weight_decay} under one fused torch.optim.AdamW."""

    def __init__(self, groups: Iterable[dict[str, Any]]) -> None:
        import torch

        groups = [group for group in groups if group["named"]]
        self._named = {name: p for group in groups for name, p in group["named"].items()}
        options = [{**group, "params": list(group.pop("named").values()), "peak": group["lr"]} for group in groups]
        self._adam = torch.optim.AdamW(options, fused=True)
        for parameter in self._named.values():
            self._adam.state[parameter] = {
                "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                "exp_avg": torch.zeros_like(parameter),
                "exp_avg_sq": torch.zeros_like(parameter),
            }

    def step(self, scale: float) -> None:
        for group in self._adam.param_groups:
            group["lr"] = group["peak"] * scale
        self._adam.step()

    def state(self) -> dict[str, Tensor]:
        return {
            f"{name}.{key}": tensor
            for name, parameter in self._named.items()
            for key, tensor in self._adam.state[parameter].items()
        }

    def blank(self) -> dict[str, Tensor]:
        return self.state()

    def load(self, state: Mapping[str, Tensor]) -> None:
        from lmcli.training.optimizers.optimizer import restore

        restore(self.state(), state)
