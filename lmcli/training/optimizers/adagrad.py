"""Adagrad (Duchi et al., 2011): each weight's rate falls with the sum of its squared gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt

from lmcli.config import section

if TYPE_CHECKING:
    from torch import nn

    from lmcli.training.optimizers.adapter import Adapted


@section
class Adagrad:
    """Without decay of its own: see `train.l2`."""

    lr: Annotated[float, "peak learning rate", Gt(0)] = 0.01
    initial: Annotated[float, "what the sum of squared gradients begins with", Ge(0)] = 0.0
    eps: Annotated[float, "added to the root of the sum of squared gradients", Gt(0)] = 1e-10

    def build(self, model: nn.Module) -> Adapted:
        """One optimizer over all parameters."""
        import torch

        from lmcli.training.optimizers.adapter import Adapted, matrices_and_others

        lr, initial, eps = self.lr, self.initial, self.eps
        return Adapted(
            matrices_and_others(model),
            lambda groups: torch.optim.Adagrad(groups, lr=lr, initial_accumulator_value=initial, eps=eps, foreach=True),
            elementwise=True,
        )
