from __future__ import annotations

import pytest
import torch
from torch import nn

from lmcli.errors import ArtifactError
from lmcli.objectives.next_token import RunningText
from lmcli.training.optimizers import OPTIMIZERS
from lmcli.training.optimizers.adamw import AdamW
from lmcli.training.optimizers.muon import Muon
from lmcli.training.optimizers.orthogonal import ITERATIONS, OrthogonalMomentum, orthogonalised
from tests.objectives import single
from tests.training.tiny import END, tiny_model, windows


def gradients(model: nn.Module, step: int) -> None:
    objective = RunningText(END)
    nats, count = single.loss(objective, model, objective.batch(windows(step)))
    model.zero_grad()
    (nats / count).backward()


def test_adamw_is_torch_adamw_with_decay_on_matrices_only() -> None:
    ours, theirs = tiny_model(0.0), tiny_model(0.0)
    optimizer = AdamW(lr=0.01, beta1=0.8, beta2=0.97, eps=1e-7, weight_decay=0.3).build(ours)
    groups = [
        {"params": [p for p in theirs.parameters() if p.ndim >= 2], "weight_decay": 0.3},
        {"params": [p for p in theirs.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    reference = torch.optim.AdamW(groups, lr=0.005, betas=(0.8, 0.97), eps=1e-7, fused=True)
    for step in range(4):
        gradients(ours, step)
        gradients(theirs, step)
        optimizer.step(0.5)
        reference.step()
    for mine, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_muon_moves_hidden_matrices_as_torch_does_but_for_bfloat16() -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = [(24, 16), (24, 16), (16, 40)]
    ours = {f"block.{n}": nn.Parameter(torch.randn(shape, generator=generator)) for n, shape in enumerate(shapes)}
    theirs = [nn.Parameter(parameter.detach().clone()) for parameter in ours.values()]
    start = [parameter.detach().clone() for parameter in theirs]
    optimizer = OrthogonalMomentum(ours, lr=0.02, momentum=0.9, weight_decay=0.1)
    reference = torch.optim.Muon(theirs, lr=0.02, momentum=0.9, weight_decay=0.1, ns_steps=ITERATIONS)
    for _ in range(3):
        for mine, other in zip(ours.values(), theirs, strict=True):
            mine.grad = torch.randn(mine.shape, generator=generator)
            other.grad = mine.grad.clone()
        optimizer.step(1.0)
        reference.step()
    for mine, other, before in zip(ours.values(), theirs, start, strict=True):
        assert torch.norm(mine - other) < 0.06 * torch.norm(other - before)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 5, 20), (3, 20, 5)])
def test_orthogonalised_matrices_have_singular_values_near_one(shape: tuple[int, ...]) -> None:
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(3))
    values = torch.linalg.svdvals(orthogonalised(matrices, iterations=10))
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_matrices_taken_together_move_as_matrices_taken_alone() -> None:
    matrices = torch.randn(4, 12, 8, generator=torch.Generator().manual_seed(3))
    alone = torch.cat([orthogonalised(matrix[None]) for matrix in matrices])
    torch.testing.assert_close(orthogonalised(matrices), alone)


def test_muon_leaves_tables_and_gains_to_adam() -> None:
    names = {name.rpartition(".")[0] for name in Muon().build(tiny_model()).state() if name.endswith(".momentum")}
    expected = {f"blocks.0.{part}.weight" for part in ("attention.qkv", "attention.out", "ffn.gate_up", "ffn.down")}
    assert names == expected


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_a_restored_state_goes_on_bit_for_bit(name: str) -> None:
    build = OPTIMIZERS.load(name)
    whole, cut = tiny_model(0.0), tiny_model(0.0)
    first, before = build().build(whole), build().build(cut)
    for step in range(2):
        for model, optimizer in ((whole, first), (cut, before)):
            gradients(model, step)
            optimizer.step(1.0)
    after = build().build(cut)
    after.load({name: tensor.clone() for name, tensor in before.state().items()})
    gradients(whole, 2)
    gradients(cut, 2)
    first.step(0.5)
    after.step(0.5)
    for mine, other in zip(whole.parameters(), cut.parameters(), strict=True):
        assert torch.equal(mine, other)


@pytest.mark.parametrize("name", list(OPTIMIZERS))
def test_a_state_that_does_not_fit_is_refused(name: str) -> None:
    model = tiny_model()
    optimizer = OPTIMIZERS.load(name)().build(model)
    gradients(model, 0)
    optimizer.step(1.0)  # some make their state with the first step
    state = dict(optimizer.state())
    some = next(iter(state))
    with pytest.raises(ArtifactError, match="is missing"):
        optimizer.load({key: value for key, value in state.items() if key != some})
    with pytest.raises(ArtifactError, match="is not known"):
        optimizer.load({**state, "stranger": torch.zeros(1)})
    with pytest.raises(ArtifactError, match="another shape"):
        optimizer.load({**state, some: torch.zeros(3, 3, 3)})
