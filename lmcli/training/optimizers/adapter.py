"""Any `torch.optim` optimizer as the loop wants one: rates as shares of a peak, and a state of named tensors."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from lmcli.errors import ArtifactError, ConfigError
from lmcli.training.optimizers.optimizer import HINT, named_parameters
from lmcli.training.parts import is_part, local, part_like

Make = Callable[[list[dict[str, Any]]], torch.optim.Optimizer]
"""Groups {params, further options} -> an optimizer over them."""

GIVEN = ("params", "lr")
"""What the loop sets in a group before every step."""
JSON = ":json"
"""Ends the name of a tensor whose bytes are the JSON of something that is no tensor, such as a count of steps."""


class Adapted:
    """A torch optimizer over groups {named, further options}; empty groups are left out.

    Its state is named "PARAMETER.KEY", and "group:INDEX:KEY" where the optimizer keeps something for a whole group. A
    parameter without a gradient counts as one whose gradient is zero. Of sharded parameters the rule is given this
    process's parts, as plain tensors. Raises ConfigError for these unless the rule is `elementwise`: treats each number
    by itself, so that it doesn't matter how a matrix is cut.
    """

    def __init__(self, groups: Iterable[Mapping[str, Any]], make: Make, *, elementwise: bool = False) -> None:
        self._groups = [dict(group) for group in groups if group["named"]]
        self._make = make
        self._named: dict[str, nn.Parameter] = {}
        for group in self._groups:
            self._named |= group["named"]
        sharded = any(is_part(parameter) for parameter in self._named.values())
        if sharded and not elementwise:
            hint = "use --strategy ddp, or muon, adamw, adam, sgd or adagrad"
            raise ConfigError("this optimizer looks at whole matrices, and --strategy fsdp cuts them into parts", hint)
        self._own = {
            name: nn.Parameter(local(parameter.detach())) if is_part(parameter) else parameter
            for name, parameter in self._named.items()
        }
        self._optimizer = self._over(self._own)
        self._peaks = [float(group["lr"]) for group in self._optimizer.param_groups]
        self._at_first = self._of_groups()
        self._savable = False

    def step(self, scale: float) -> None:
        """One update; ConfigError after the first one when the optimizer keeps what can't be saved."""
        for group, peak in zip(self._optimizer.param_groups, self._peaks, strict=True):
            group["lr"] = peak * scale
        for name, own in self._own.items():
            parameter = self._named[name]
            if own is not parameter:
                own.data = local(parameter.detach())
                own.grad = None if parameter.grad is None else local(parameter.grad)
            if own.grad is None:
                own.grad = torch.zeros_like(own)
        self._optimizer.step()
        for name, own in self._own.items():
            if own is not self._named[name]:
                own.grad = None
        if not self._savable:
            self.state()
            self._savable = True

    def state(self) -> dict[str, Tensor]:
        return self._stored({**dict(_items(self._optimizer, self._own)), **self._changed_of_groups()})

    def blank(self) -> dict[str, Tensor]:
        """Tensors of the names and shapes that the state has after a step."""
        return self._stored(self._pattern())

    def _stored(self, kept: Mapping[str, Any]) -> dict[str, Tensor]:
        """As a file has them; what is of the shape of a part of a weight is such a part itself."""
        return {name: self._whole(name, tensor) for name, tensor in (_encoded(*item) for item in kept.items())}

    def _whole(self, name: str, tensor: Tensor) -> Tensor:
        owner = name.rpartition(".")[0]
        if owner in self._own and not name.endswith(JSON) and tensor.shape == self._own[owner].shape:
            return part_like(tensor, self._named[owner])
        return tensor

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Continue from `state`; one without tensors is that before the first step."""
        if not state:
            return
        saved = {name.removesuffix(JSON): _decoded(name, local(tensor)) for name, tensor in state.items()}
        after_a_step = self._pattern()
        for name in after_a_step.keys() - saved.keys():
            raise ArtifactError(f"the optimizer's tensor {name} is missing from the saved state", HINT)
        for name, value in saved.items():
            if name.startswith("group:"):
                self._put_in_group(name, value)
                continue
            owner, _, key = name.rpartition(".")
            if owner not in self._named:
                raise ArtifactError(f"the optimizer's tensor {name} is not known", HINT)
            self._optimizer.state[self._own[owner]][key] = _fitted(name, value, after_a_step.get(name))

    def _over(self, parameters: Mapping[str, nn.Parameter]) -> torch.optim.Optimizer:
        groups = []
        for group in self._groups:
            options = {key: value for key, value in group.items() if key != "named"}
            groups.append({**options, "params": [parameters[name] for name in group["named"]]})
        return self._make(groups)

    def _of_groups(self) -> dict[str, Any]:
        return {
            f"group:{index}:{key}": value.clone() if isinstance(value, Tensor) else value
            for index, group in enumerate(self._optimizer.param_groups)
            for key, value in group.items()
            if key not in GIVEN
        }

    def _changed_of_groups(self) -> dict[str, Any]:
        first = self._at_first
        return {
            name: value
            for name, value in self._of_groups().items()
            if name not in first or not _same(first[name], value)
        }

    def _pattern(self) -> dict[str, Any]:
        """The state after a step with other weights: names, shapes and devices are those of this optimizer."""
        others = {name: nn.Parameter(torch.zeros_like(parameter)) for name, parameter in self._own.items()}
        for parameter in others.values():
            parameter.grad = torch.ones_like(parameter)
        with torch.random.fork_rng(devices=[]):
            optimizer = self._over(others)
            optimizer.step()
        return dict(_items(optimizer, others))

    def _put_in_group(self, name: str, value: Any) -> None:
        _, index, key = name.split(":", 2)
        groups = self._optimizer.param_groups
        if not index.isdecimal() or int(index) >= len(groups):
            raise ArtifactError(f"the optimizer's tensor {name} is not known", HINT)
        groups[int(index)][key] = _fitted(name, value, groups[int(index)].get(key))


def matrices_and_others(model: nn.Module, **of_others: Any) -> list[dict[str, Any]]:
    """Two groups of the parameters that are trained: the second, gains and biases, with options of its own."""
    named = named_parameters(model)
    return [
        {"named": {name: p for name, p in named.items() if p.ndim >= 2}},
        {"named": {name: p for name, p in named.items() if p.ndim < 2}, **of_others},
    ]


def _same(first: Any, second: Any) -> bool:
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return torch.equal(first, second)
    return type(first) is type(second) and bool(first == second)


def _items(optimizer: torch.optim.Optimizer, named: Mapping[str, nn.Parameter]) -> Iterator[tuple[str, Any]]:
    for name, parameter in named.items():
        for key, value in optimizer.state.get(parameter, {}).items():
            yield f"{name}.{key}", value


def _encoded(name: str, value: Any) -> tuple[str, Tensor]:
    if isinstance(value, Tensor):
        return name, value.detach()
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):
        kind = type(value).__name__
        raise ConfigError(f"the optimizer keeps {name}, a {kind}, which can't be saved", "take another one") from None
    return f"{name}{JSON}", torch.tensor(list(text.encode()), dtype=torch.uint8)


def _decoded(name: str, tensor: Tensor) -> Any:
    if not name.endswith(JSON):
        return tensor
    try:
        return json.loads(bytes(tensor.tolist()))
    except (ValueError, TypeError):
        raise ArtifactError(f"the optimizer's tensor {name} is damaged", HINT) from None


def _fitted(name: str, value: Any, like: Any) -> Any:
    """`value` of the shape, type and device of `like`, which is overwritten when it is a tensor."""
    if not isinstance(value, Tensor):
        return tuple(value) if isinstance(like, tuple) else value
    if not isinstance(like, Tensor):
        return value.clone()
    if like.shape != value.shape:
        raise ArtifactError(f"the optimizer's tensor {name} has another shape", HINT)
    with torch.no_grad():
        return like.copy_(value)
