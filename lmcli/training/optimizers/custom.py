"""Any optimizer that is a subclass of `torch.optim.Optimizer`, by the place of its class."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Predicate

from lmcli.config import section
from lmcli.errors import ConfigError

ELEMENTWISE = {"Adadelta", "Adagrad", "Adam", "AdamW", "Adamax", "ASGD", "NAdam", "RAdam", "RMSprop", "Rprop", "SGD"}
"""Of torch's own rules those that move each number by its own gradients; of others nobody knows."""

if TYPE_CHECKING:
    import torch
    from torch import nn

    from lmcli.training.optimizers.adapter import Adapted

HINT = "write package.module:Class, a subclass of torch.optim.Optimizer that can be imported where lmcli runs"


def is_target(text: str) -> bool:
    """Whether a text has the form module:Class; raises ConfigError when not."""
    if re.fullmatch(r"\w+(\.\w+)*:\w+", text):
        return True
    raise ConfigError(f"{text!r} is no module:Class", HINT)


@section
class Custom:
    """The class is imported when training begins, not when settings are read."""

    target: Annotated[str, "module:Class, a subclass of torch.optim.Optimizer", Predicate(is_target)] = (
        "torch.optim:NAdam"
    )
    options: Annotated[Mapping[str, Any], "its keyword arguments, lr among them"] = field(default_factory=dict)

    @property
    def lr(self) -> float:
        """The peak learning rate: the option of that name, else the default of the class."""
        arguments = inspect.signature(self._class()).parameters
        default = arguments["lr"].default if "lr" in arguments else None
        lr = self.options.get("lr", default)
        if isinstance(lr, bool) or not isinstance(lr, int | float):
            raise ConfigError(f"{self.target} has no learning rate of its own", "set lr among optimizer.options")
        return float(lr)

    def build(self, model: nn.Module) -> Adapted:
        """One optimizer over all parameters; if it knows weight_decay, only matrices decay.

        Raises ConfigError for a class that is not there or is none that fits, and for options that it doesn't take.
        """
        from lmcli.training.optimizers.adapter import Adapted, matrices_and_others

        rule, lr = self._class(), self.lr
        options = {key: tuple(value) if isinstance(value, list) else value for key, value in self.options.items()}
        decays = "weight_decay" in {*options, *inspect.signature(rule).parameters}

        def make(groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
            try:
                made: torch.optim.Optimizer = rule(groups, **{**options, "lr": lr})
            except (TypeError, ValueError) as error:
                raise ConfigError(f"{self.target}: {error}", "see optimizer.options") from None
            return made

        groups = matrices_and_others(model, **({"weight_decay": 0.0} if decays else {}))
        return Adapted(groups, make, elementwise=_is_elementwise(rule))

    def _class(self) -> Any:
        import torch

        module, _, name = self.target.partition(":")
        try:
            rule = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            raise ConfigError(f"optimizer.target = {self.target}: {error}", HINT) from None
        if not (isinstance(rule, type) and issubclass(rule, torch.optim.Optimizer)):
            raise ConfigError(f"optimizer.target = {self.target} is no torch.optim.Optimizer", HINT)
        closure = inspect.signature(rule.step).parameters.get("closure")
        if closure is not None and closure.default is inspect.Parameter.empty:
            raise ConfigError(f"{self.target} computes the loss several times in a step; training can't", HINT)
        return rule


def _is_elementwise(rule: type) -> bool:
    return rule.__name__ in ELEMENTWISE and rule.__module__.startswith("torch.optim.")
