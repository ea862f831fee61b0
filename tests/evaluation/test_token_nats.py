from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch

from lmcli.evaluation.likelihood import Likelihood, likelihood
from lmcli.evaluation.token_nats import token_nats
from lmcli.evaluation.windows import document_windows
from lmcli.models.device import Compute
from lmcli.models.qwen3 import Qwen3
from lmcli.models.shape import Shape
from lmcli.progress import Silent
from lmcli.tokens.windows import IGNORED

END, VOCAB, CONTEXT = 0, 61, 16
CPU = Compute("cpu", "float32", 1)


SHAPE = Shape(vocab_size=VOCAB, width=16, depth=2, heads=2, kv_heads=1, head_dim=8, ffn=32, context=CONTEXT)


@pytest.fixture(scope="module")
def model() -> Qwen3:
    model = Qwen3(SHAPE).initialise(0).eval()
    generator = torch.Generator().manual_seed(1)
    for parameter in model.parameters():  # zeros at the start would hide what a block does
        parameter.data += 0.3 * torch.randn(parameter.shape, generator=generator)
    return model


@pytest.fixture(scope="module")
def uniform() -> Qwen3:
    """A model that has learned nothing: its output layer is zero, so all logits are equal."""
    model = Qwen3(dataclasses.replace(SHAPE, tie_embeddings=False)).initialise(0).eval()
    model.output.weight.data.zero_()
    return model


@pytest.fixture(scope="module")
def documents() -> list[list[int]]:
    rng = np.random.default_rng(0)
    return [rng.integers(1, VOCAB, size).tolist() for size in (0, 1, 15, 16, 17, 40, 3, 5, 33)]


def measured(model: Qwen3, documents: list[list[int]], batch: int) -> Likelihood:
    windows = document_windows([(ids, True) for ids in documents], END, CONTEXT, batch)
    sizes = np.array([0] + [1] * (VOCAB - 1))
    return likelihood(token_nats(model, windows, CPU, Silent()), token_bytes=sizes, end_id=END, context=CONTEXT)


def test_equal_logits_cost_the_logarithm_of_the_vocabulary(uniform: Qwen3, documents: list[list[int]]) -> None:
    found = measured(uniform, documents, 2)
    loss, perplexity, bpb = found.scores(seed=0)
    assert loss.value == pytest.approx(math.log(VOCAB), rel=1e-7)
    assert perplexity.value == pytest.approx(VOCAB, rel=1e-6)
    assert bpb.value == pytest.approx(math.log2(VOCAB), rel=1e-7)
    assert loss.interval is not None
    assert loss.interval.high - loss.interval.low < 1e-6


def test_the_batch_size_changes_nothing(model: Qwen3, documents: list[list[int]]) -> None:
    one, four, sixteen = (measured(model, documents, batch) for batch in (1, 4, 16))
    for other in (four, sixteen):
        assert other.nats == pytest.approx(one.nats, rel=1e-6)
        assert other.text_nats == pytest.approx(one.text_nats, rel=1e-6)
        assert (other.tokens, other.text_bytes, other.documents) == (one.tokens, one.text_bytes, one.documents)
        np.testing.assert_allclose(other.rows, one.rows, rtol=1e-5)


def test_the_order_of_the_documents_changes_nothing(model: Qwen3, documents: list[list[int]]) -> None:
    assert measured(model, documents[::-1], 4).nats == pytest.approx(measured(model, documents, 4).nats, rel=1e-6)


def test_nats_are_those_of_each_target_alone(model: Qwen3) -> None:
    inputs = np.array([[0, 5, 9, 7], [3, 2, 0, 0]])
    targets = np.array([[5, 9, 7, 1], [2, IGNORED, IGNORED, IGNORED]])
    ((_, nats),) = token_nats(model, [(inputs, targets)], CPU, Silent())
    with torch.no_grad():
        expected = -model(torch.from_numpy(inputs)).log_softmax(-1)
    for place, target in np.ndenumerate(targets):
        wanted = 0.0 if target == IGNORED else float(expected[(*place, target)])
        assert nats[place] == pytest.approx(wanted, rel=1e-5)


def test_no_mode_of_torch_is_left_on_between_batches(model: Qwen3) -> None:
    batches = token_nats(model, document_windows([([1], True)] * 2, END, CONTEXT, 1), CPU, Silent())
    next(batches)
    assert torch.is_grad_enabled()
    assert not torch.is_inference_mode_enabled()
