"""Adafactor (Shazeer & Stern, 2018): the memory of squared gradients of a matrix is kept as a row and a column.

A step t moves a matrix by at most min(rate, 1 / sqrt(t)) of its root mean square, whatever the schedule says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Gt, Lt

from lmcli.config import section

if TYPE_CHECKING:
    from torch import nn

    from lmcli.training.optimizers.adapter import Adapted


@section
class Adafactor:
    """Almost no state: one number for each row and column of a matrix."""

    lr: Annotated[float, "peak learning rate, as a share of a matrix's size; at most 1 / sqrt(step)", Gt(0)] = 0.02
    beta2_decay: Annotated[float, "after t steps a share t^beta2_decay of the memory is new", Lt(0)] = -0.8
    smallest: Annotated[float, "size from which on a step is no smaller for smaller weights", Gt(0)] = 1e-3
    threshold: Annotated[float, "largest root mean square of an update; beyond it is scaled down", Ge(1)] = 1.0
    weight_decay: Annotated[float, "decay of matrices, per unit of learning rate", Ge(0)] = 0.1

    def build(self, model: nn.Module) -> Adapted:
        """One optimizer over all parameters; only matrices decay."""
        import torch

        from lmcli.training.optimizers.adapter import Adapted, matrices_and_others

        lr, decay, beta2_decay = self.lr, self.weight_decay, self.beta2_decay
        eps, threshold = (None, self.smallest), self.threshold
        return Adapted(
            matrices_and_others(model, weight_decay=0.0),
            lambda groups: torch.optim.Adafactor(
                groups, lr=lr, beta2_decay=beta2_decay, eps=eps, d=threshold, weight_decay=decay, foreach=True
            ),
        )
