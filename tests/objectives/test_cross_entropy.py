from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from lmcli.models.heads import Head, capped
from lmcli.objectives import cross_entropy


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_entropy, "CHUNK", 50 * 64)


def problem(positions: int = 300) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    hidden = torch.randn(positions, 16, generator=generator, requires_grad=True)
    weight = torch.randn(50, 16, generator=generator, requires_grad=True)
    return hidden, weight, torch.randint(0, 50, (positions,), generator=generator)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.7])
@pytest.mark.parametrize("positions", [1, 63, 64, 65, 300])
def test_chunks_give_the_loss_and_gradients_of_the_plain_form(
    positions: int, smoothing: float, small_chunks: None
) -> None:
    hidden, weight, targets = problem(positions)
    plain = F.cross_entropy(hidden @ weight.T, targets, reduction="sum", label_smoothing=smoothing)
    expected = torch.autograd.grad(plain / 7, (hidden, weight))
    chunked = cross_entropy.summed(hidden, Head(weight), targets, smoothing)
    found = torch.autograd.grad(chunked / 7, (hidden, weight))
    torch.testing.assert_close(chunked, plain)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize(("cap", "smoothing"), [(None, 0.1), (2.0, 0.0), (2.0, 0.1)])
def test_bias_and_cap_of_a_head_have_gradients_in_chunks_too(
    cap: float | None, smoothing: float, small_chunks: None
) -> None:
    hidden, weight, targets = problem()
    bias = torch.randn(50, generator=torch.Generator().manual_seed(2), requires_grad=True)
    logits = hidden @ weight.T + bias
    logits = logits if cap is None else capped(logits, cap)
    plain = F.cross_entropy(logits, targets, reduction="sum", label_smoothing=smoothing)
    expected = torch.autograd.grad(plain / 7, (hidden, weight, bias))
    chunked = cross_entropy.summed(hidden, Head(weight, bias, cap), targets, smoothing)
    torch.testing.assert_close(chunked, plain)
    torch.testing.assert_close(torch.autograd.grad(chunked / 7, (hidden, weight, bias)), expected)


def test_each_adds_up_to_summed(small_chunks: None) -> None:
    hidden, weight, targets = problem()
    nats = cross_entropy.each(hidden, Head(weight), targets)
    assert nats.shape == (300,)
    torch.testing.assert_close(nats.sum(), cross_entropy.summed(hidden, Head(weight), targets))


def test_uniform_logits_cost_exactly_ln_of_the_vocabulary(small_chunks: None) -> None:
    targets = torch.arange(200) % 64
    hidden, weight = torch.zeros(200, 8), torch.ones(64, 8)
    assert cross_entropy.each(hidden, Head(weight), targets).tolist() == pytest.approx([math.log(64)] * 200, rel=1e-6)
    assert cross_entropy.summed(hidden, Head(weight), targets).item() == pytest.approx(200 * math.log(64), rel=1e-6)


def test_no_tensor_of_all_logits_is_kept(small_chunks: None) -> None:
    hidden, weight, targets = problem(640)
    kept: list[int] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda saved: kept.append(saved.numel()) or saved, lambda saved: saved
    ):
        cross_entropy.summed(hidden, Head(weight), targets)
    assert kept
    assert max(kept) < 640 * 50


def test_bfloat16_products_leave_a_float32_loss_near_the_exact_one(small_chunks: None) -> None:
    hidden, weight, targets = problem()
    exact = cross_entropy.summed(hidden, Head(weight), targets)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = cross_entropy.summed(hidden, Head(weight), targets)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(exact.item(), rel=0.02)
    gradients = torch.autograd.grad(loss, (hidden, weight))
    assert {gradient.dtype for gradient in gradients} == {torch.float32}
