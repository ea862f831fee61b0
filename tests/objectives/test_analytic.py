"""Losses that are known without training: what they must be to the last digit, and what must have no gradient."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from lmcli.models.heads import Head
from lmcli.models.qwen3 import Qwen3
from lmcli.models.shape import Shape
from lmcli.objectives.batch import IGNORED, Batch, Sums
from lmcli.objectives.next_token import NextToken, RunningText
from lmcli.objectives.supervised import Example, Supervised
from tests.objectives import single

END, VOCAB = 0, 256


def model(tie: bool = False, vocab: int = VOCAB) -> Qwen3:
    shape = Shape(
        vocab_size=vocab,
        width=32,
        depth=2,
        heads=2,
        kv_heads=2,
        head_dim=16,
        ffn=64,
        context=16,
        tie_embeddings=tie,
    )
    return Qwen3(shape).initialise(1)


def windows(rows: int = 16, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, VOCAB, (rows, 17))


def examples(count: int = 12) -> list[Example]:
    random = np.random.default_rng(3)
    rows = [
        (random.integers(1, VOCAB, 1 + n % 5).tolist(), random.integers(1, VOCAB, 1 + n % 7).tolist())
        for n in range(count)
    ]
    return Supervised(END).fit(rows, 16)[0]


@pytest.mark.parametrize("vocab", [2, 256, 1000])
def test_logits_that_are_all_equal_cost_exactly_ln_of_the_vocabulary(vocab: int) -> None:
    uniform = model(vocab=vocab)
    with torch.no_grad():
        assert uniform.head is not None
        uniform.head.zero_()
    batch = RunningText(END).batch(windows() % vocab)
    nats, count = single.loss(RunningText(END), uniform, batch)
    exact = float(np.float32(math.log(vocab)))
    sums = RunningText(END).evaluate(uniform, batch)
    assert nats.item() / count == pytest.approx(exact, rel=1e-6)
    assert single.total(sums)[0] == pytest.approx(count * exact, rel=1e-7)


@pytest.mark.parametrize("tie", [False, True])
def test_an_untrained_model_guesses(tie: bool) -> None:
    """Random targets: the nats are ln of the vocabulary to 0.05, whatever the first weights are."""
    objective = RunningText(END)
    sums = objective.evaluate(model(tie).eval(), objective.batch(windows(64)))
    assert single.total(sums)[0] / single.total(sums)[1] == pytest.approx(math.log(VOCAB), abs=0.05)


def gradient_of_states(objective: NextToken, batch: Batch) -> torch.Tensor:
    """(rows, positions): the size of the loss's gradient at the state of each position."""
    learner, states = model(), []
    hidden = learner.hidden

    def watched(tokens: torch.Tensor) -> torch.Tensor:
        states.append(hidden(tokens))
        states[-1].retain_grad()
        return states[-1]

    learner.hidden = watched  # type: ignore[method-assign]
    single.loss(objective, learner, batch)[0].backward()
    assert states[0].grad is not None
    return states[0].grad.abs().sum(dim=-1)


def test_prompts_and_padding_have_no_gradient() -> None:
    objective = Supervised(END)
    batch = objective.batch(examples())
    masked = batch.targets == IGNORED
    assert masked.any(dim=1).all()
    assert (~masked).any(dim=1).all()
    size = gradient_of_states(objective, batch)
    assert torch.all(size[masked] == 0)
    assert torch.all(size[~masked] > 0)


def test_what_stands_under_a_mask_changes_nothing() -> None:
    objective = Supervised(END)
    batch = objective.batch(examples())
    ends = torch.tensor([int(torch.nonzero(row != IGNORED)[-1]) for row in batch.targets])
    other = batch.inputs.clone()
    for row, end in enumerate(ends.tolist()):
        other[row, end + 1 :] = 7  # what follows the last target is padding
    learner = model().eval()
    before = objective.evaluate(learner, batch)
    after = objective.evaluate(learner, replace(batch, inputs=other))
    assert after == before


@pytest.mark.parametrize("rows", [1, 4, 16])
@pytest.mark.parametrize("seed", [0, 1])
def test_completions_cost_the_same_in_any_batch_and_order(rows: int, seed: int) -> None:
    """Beside longer rows a row is padded further; its loss must not move."""
    objective, learner, found = Supervised(END), model().eval(), examples(16)
    whole = objective.evaluate(learner, objective.batch(found))
    order = np.random.default_rng(seed).permutation(16)
    parts = [[found[place] for place in order[at : at + rows]] for at in range(0, 16, rows)]
    total = sum((objective.evaluate(learner, objective.batch(part)) for part in parts), Sums())
    assert (
        single.total(total)[1] == single.total(whole)[1] == sum(len(item.tokens) - item.trained_from for item in found)
    )
    assert single.total(total)[0] == pytest.approx(single.total(whole)[0], rel=1e-6)
    assert total.text_nats == pytest.approx(whole.text_nats, rel=1e-6)


def test_targets_are_those_one_token_later() -> None:
    """A model that is sure of the next number is right about counting, and one off by one place would be wrong."""
    counting = np.arange(17)[None, :] + 5
    batch = RunningText(END).batch(counting)

    class Sure(torch.nn.Module):
        """Its state at a position is the one-hot code of the token after the input."""

        kind = "decoder"
        output = Head(torch.eye(VOCAB) * 50)

        def before_output(self, hidden: torch.Tensor) -> torch.Tensor:
            return hidden

        def hidden(self, tokens: torch.Tensor) -> torch.Tensor:
            return torch.nn.functional.one_hot(tokens + 1, VOCAB).float()

    sums = RunningText(END).evaluate(Sure(), batch)
    assert single.total(sums)[0] / single.total(sums)[1] < 1e-6
