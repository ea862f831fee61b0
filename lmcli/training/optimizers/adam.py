"""Adam (Kingma & Ba, 2015), on torch's fused kernel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Lt

from lmcli.config import section

if TYPE_CHECKING:
    from torch import nn

    from lmcli.training.optimizers.adapter import Adapted


@section
class Adam:
    """Without decay of its own: `train.l2` adds a penalty to the loss, `adamw` lets weights decay."""

    lr: Annotated[float, "peak learning rate", Gt(0)] = 2e-3
    beta1: Annotated[float, "memory of the gradient", Ge(0), Lt(1)] = 0.9
    beta2: Annotated[float, "memory of the squared gradient", Ge(0), Lt(1)] = 0.99
    eps: Annotated[float, "added to the root of the squared gradient", Gt(0)] = 1e-8

    def build(self, model: nn.Module) -> Adapted:
        """One optimizer over all parameters."""
        import torch

        from lmcli.training.optimizers.adapter import Adapted, matrices_and_others

        lr, betas, eps = self.lr, (self.beta1, self.beta2), self.eps
        return Adapted(
            matrices_and_others(model),
            lambda groups: torch.optim.Adam(groups, lr=lr, betas=betas, eps=eps, fused=True),
            elementwise=True,
        )
