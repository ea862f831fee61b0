"""Optimizers that are torch's own: the same steps as torch takes, and a state that survives a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from lmcli.config import decode
from lmcli.errors import ArtifactError, ConfigError
from lmcli.models.weights import read_header, read_tensor, write_tensors
from lmcli.training.optimizers import adapter
from lmcli.training.optimizers.adafactor import Adafactor
from lmcli.training.optimizers.adagrad import Adagrad
from lmcli.training.optimizers.adam import Adam
from lmcli.training.optimizers.custom import Custom
from lmcli.training.optimizers.sgd import Sgd
from tests.training.test_optimizers import gradients
from tests.training.tiny import tiny_model


class Remembering(torch.optim.Optimizer):
    """Keeps all kinds of things: counts, lists, flags, and a figure for each group that its steps depend on."""

    def __init__(self, params: Any, lr: float = 0.1) -> None:
        super().__init__(params, {"lr": lr, "travelled": 0.0, "ends": (0, 1)})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                state = self.state[parameter]
                state.setdefault("count", 0)
                state["history"] = [*state.get("history", []), float(parameter.grad.norm())]
                state["count"] += 1
                state["even"] = state["count"] % 2 == 0
                if state["count"] == 3:
                    state["late"] = torch.ones(2, 2)
                parameter.sub_(parameter.grad, alpha=group["lr"] / (state["count"] + group["travelled"]))
                group["travelled"] += state["history"][-1]


class Hoarding(Remembering):
    """Keeps what no file can hold."""

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:
        for group in self.param_groups:
            self.state[group["params"][0]]["anything"] = object()


Groups = list[dict[str, Any]]
PARITY: dict[str, tuple[Any, Callable[[Groups], torch.optim.Optimizer]]] = {
    "adam": (
        Adam(lr=0.01, beta1=0.8, beta2=0.97, eps=1e-7),
        lambda groups: torch.optim.Adam(groups, lr=0.005, betas=(0.8, 0.97), eps=1e-7, fused=True),
    ),
    "sgd": (Sgd(lr=0.2, momentum=0.0, nesterov=False), lambda groups: torch.optim.SGD(groups, lr=0.1)),
    "momentum": (
        Sgd(lr=0.2, momentum=0.8, nesterov=False),
        lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.8),
    ),
    "nesterov": (
        Sgd(lr=0.2, momentum=0.8),
        lambda groups: torch.optim.SGD(groups, lr=0.1, momentum=0.8, nesterov=True),
    ),
    "adagrad": (
        Adagrad(lr=0.2, initial=0.3, eps=1e-6),
        lambda groups: torch.optim.Adagrad(groups, lr=0.1, initial_accumulator_value=0.3, eps=1e-6),
    ),
    "adafactor": (
        Adafactor(lr=0.2, beta2_decay=-0.7, smallest=0.01, threshold=1.5, weight_decay=0.3),
        lambda groups: torch.optim.Adafactor(
            [{**groups[0], "weight_decay": 0.3}, groups[1]], lr=0.1, beta2_decay=-0.7, eps=(None, 0.01), d=1.5
        ),
    ),
    "custom": (
        Custom(target="torch.optim:RMSprop", options={"lr": 0.02, "alpha": 0.9, "momentum": 0.5}),
        lambda groups: torch.optim.RMSprop(groups, lr=0.01, alpha=0.9, momentum=0.5),
    ),
    "custom with decay": (
        Custom(target="torch.optim:AdamW", options={"lr": 0.02, "betas": [0.8, 0.9]}),
        lambda groups: torch.optim.AdamW([groups[0], {**groups[1], "weight_decay": 0.0}], lr=0.01, betas=(0.8, 0.9)),
    ),
}


@pytest.mark.parametrize("case", PARITY)
def test_steps_are_those_of_torch(case: str) -> None:
    settings, make = PARITY[case]
    ours, theirs = tiny_model(0.0), tiny_model(0.0)
    optimizer = settings.build(ours)
    parameters = list(theirs.parameters())
    reference = make(
        [{"params": [p for p in parameters if p.ndim >= 2]}, {"params": [p for p in parameters if p.ndim < 2]}]
    )
    for step in range(4):
        gradients(ours, step)
        gradients(theirs, step)
        optimizer.step(0.5)
        reference.step()
    for mine, other, before in zip(ours.parameters(), parameters, tiny_model(0.0).parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-7)
        assert not torch.equal(mine, before)


def trained(settings: Any, steps: int) -> tuple[nn.Module, Any]:
    model = tiny_model(0.0)
    optimizer = settings.build(model)
    for step in range(steps):
        gradients(model, step)
        optimizer.step(0.9**step)
    return model, optimizer


def through_a_file(state: dict[str, Tensor], path: Path) -> dict[str, Tensor]:
    write_tensors(path, state)
    return {name: read_tensor(path, entry) for name, entry in read_header(path).items()}


REMEMBERING = Custom(target=f"{__name__}:Remembering")
MORE = [
    *(settings for settings, _ in PARITY.values()),
    Custom(target="torch.optim:ASGD"),
    Custom(target="torch.optim:Rprop"),
    REMEMBERING,
]


@pytest.mark.parametrize("settings", MORE, ids=lambda settings: getattr(settings, "target", type(settings).__name__))
@pytest.mark.parametrize("after", [0, 1, 3])
def test_a_state_from_a_file_goes_on_bit_for_bit(settings: Any, after: int, tmp_path: Path) -> None:
    whole, first = trained(settings, after)
    cut, before = trained(settings, after)
    after_the_file = settings.build(cut)
    after_the_file.load(through_a_file(before.state(), tmp_path / "state.safetensors"))
    for step in range(after, after + 2):
        for model, optimizer in ((whole, first), (cut, after_the_file)):
            gradients(model, step)
            optimizer.step(0.5)
    for mine, other in zip(whole.parameters(), cut.parameters(), strict=True):
        assert torch.equal(mine, other)
    assert {name: tensor.tolist() for name, tensor in first.state().items()} == {
        name: tensor.tolist() for name, tensor in after_the_file.state().items()
    }


def test_loading_moves_no_random_number() -> None:
    _, optimizer = trained(REMEMBERING, 1)
    before = torch.get_rng_state()
    optimizer.load(optimizer.state())
    assert torch.equal(torch.get_rng_state(), before)


def test_a_parameter_without_gradient_counts_as_one_with_none_to_go() -> None:
    model = tiny_model(0.0)
    optimizer = Sgd().build(model)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    optimizer.step(1.0)
    assert all(torch.equal(mine, other) for mine, other in zip(model.parameters(), before, strict=True))
    assert len(optimizer.state()) == len(before)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("group:7:travelled:json", torch.zeros(1, dtype=torch.uint8) + 48, "is not known"),
        ("embedding.count:json", torch.zeros(1, dtype=torch.uint8), "is damaged"),
    ],
)
def test_a_damaged_state_is_refused(name: str, value: Tensor, message: str) -> None:
    _, optimizer = trained(REMEMBERING, 1)
    with pytest.raises(ArtifactError, match=message):
        optimizer.load({**optimizer.state(), name: value})


def test_a_state_that_no_file_can_hold_is_refused_in_the_first_step() -> None:
    with pytest.raises(ConfigError, match=r"embedding\.anything, a object, which can't be saved"):
        trained(Custom(target=f"{__name__}:Hoarding"), 1)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"target": "torch.optim"}, "is no module:Class"),
        ({"target": "no.such:Thing"}, "No module named"),
        ({"target": "torch.optim:Adamm"}, "has no attribute"),
        ({"target": "torch.nn:Linear"}, "is no torch.optim.Optimizer"),
        ({"target": "torch.optim:LBFGS"}, "computes the loss several times"),
        ({"target": "torch.optim:Muon"}, "2D parameters"),
        ({"target": "torch.optim:Adam", "options": {"betaz": 3}}, "betaz"),
        ({"target": "torch.optim:Adam", "options": {"lr": "high"}}, "no learning rate"),
    ],
)
def test_what_can_not_be_an_optimizer(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        decode(Custom, values).build(tiny_model())


def test_the_rate_of_a_class_is_known_before_it_is_built() -> None:
    assert Custom(target="torch.optim:Adagrad").lr == 0.01
    assert Custom(target="torch.optim:Adagrad", options={"lr": 3}).lr == 3.0


def test_parts_of_matrices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "is_part", lambda parameter: True)
    monkeypatch.setattr(adapter, "local", lambda parameter: parameter[:1])
    for optimizer in (Adafactor(), Custom(target=f"{__name__}:Remembering"), Custom(target="torch.optim:Adafactor")):
        with pytest.raises(ConfigError, match="cuts them into parts") as caught:
            optimizer.build(tiny_model())
        assert caught.value.hint == "use --strategy ddp, or muon, adamw, adam, sgd or adagrad"
    for elementwise in (Adam(), Adagrad(), Custom(target="torch.optim:RMSprop")):
        elementwise.build(tiny_model())


def test_nesterov_needs_momentum() -> None:
    with pytest.raises(ConfigError, match="nesterov needs a momentum"):
        Sgd(momentum=0.0).build(tiny_model())
