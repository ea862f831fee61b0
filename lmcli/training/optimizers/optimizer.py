"""What the loop asks of an optimizer, and how its state is named in a file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor, nn

from lmcli.errors import ArtifactError

Described = tuple[tuple[int, ...], torch.dtype]
"""Shape and type of a tensor that isn't here."""
HINT = "start the run anew with --force"


class Optimizer(Protocol):
    """Moves the parameters of the model that it was built for by their gradients."""

    def step(self, scale: float) -> None:
        """One update at `scale` times the configured learning rates."""
        ...

    def state(self) -> dict[str, Tensor]:
        """All that the next step depends on, as named tensors."""
        ...

    def blank(self) -> dict[str, Tensor]:
        """Tensors of the names, shapes and places that the state has once a step was taken, to be filled for `load`."""
        ...

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Continue from `state`; ArtifactError when it belongs to another model or optimizer."""
        ...


def named_parameters(model: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that are trained; a shared one counts once."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def is_matrix(name: str, parameter: Tensor) -> bool:
    """Whether a parameter is a hidden layer's matrix: not a table to look up, output layer, gain or bias."""
    return parameter.ndim == 2 and name.endswith(".weight")


def restore(target: Mapping[str, Tensor], saved: Mapping[str, Tensor]) -> None:
    """Copy each saved tensor over the one of its name; ArtifactError unless names and shapes agree."""
    for name in target.keys() ^ saved.keys():
        where = "is missing from the saved state" if name in target else "is not known"
        raise ArtifactError(f"the optimizer's tensor {name} {where}", HINT)
    with torch.no_grad():
        for name, tensor in target.items():
            if tensor.shape != saved[name].shape:
                raise ArtifactError(f"the optimizer's tensor {name} has another shape", HINT)
            tensor.copy_(saved[name])


def places(blank: Mapping[str, Tensor], saved: Mapping[str, Described]) -> dict[str, Tensor]:
    """Tensors to read a saved state into: those of `blank` where they fit, and new ones."""
    return {
        name: blank[name] if name in blank and blank[name].shape == shape else torch.empty(shape, dtype=dtype)
        for name, (shape, dtype) in saved.items()
    }
