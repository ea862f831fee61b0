"""Gradient descent with momentum (Polyak, 1964; Sutskever et al., 2013), on torch's fused kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Lt

from lmcli.config import section
from lmcli.errors import ConfigError

if TYPE_CHECKING:
    from torch import nn

    from lmcli.training.optimizers.adapter import Adapted


@section
class Sgd:
    """Without decay of its own: see `train.l2`."""

    lr: Annotated[float, "peak learning rate", Gt(0)] = 0.1
    momentum: Annotated[float, "memory of the gradient", Ge(0), Lt(1)] = 0.9
    nesterov: Annotated[bool, "look one step ahead along the memory; needs momentum"] = True

    def build(self, model: nn.Module) -> Adapted:
        """One optimizer over all parameters. ConfigError for nesterov without momentum."""
        import torch

        from lmcli.training.optimizers.adapter import Adapted, matrices_and_others

        if self.nesterov and not self.momentum:
            raise ConfigError("optimizer.nesterov needs a momentum above 0", "set nesterov = false, or a momentum")
        lr, momentum, nesterov = self.lr, self.momentum, self.nesterov
        return Adapted(
            matrices_and_others(model),
            lambda groups: torch.optim.SGD(groups, lr=lr, momentum=momentum, nesterov=nesterov, fused=True),
            elementwise=True,
        )
