from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.errors import InputError
from lmcli.models.qwen3 import Qwen3
from lmcli.models.shape import Shape
from lmcli.objectives.batch import IGNORED
from lmcli.objectives.supervised import Supervised
from lmcli.training.optimizers.muon import Muon
from tests.objectives import single

END = 0


def model() -> Qwen3:
    shape = Shape(vocab_size=50, width=32, depth=2, heads=2, kv_heads=2, head_dim=16, ffn=64, context=16)
    return Qwen3(shape).initialise(1)


def test_only_the_completion_and_its_end_token_are_targets() -> None:
    examples, fitting = Supervised(END).fit([([5, 6, 7], [8, 9])], context=16)
    batch = Supervised(END).batch(examples)
    assert batch.inputs.tolist() == [[5, 6, 7, 8, 9]]
    assert batch.targets.tolist() == [[IGNORED, IGNORED, 8, 9, END]]
    assert (fitting.rows, fitting.trained_tokens, fitting.truncated, fitting.end_kept) == (1, 3, 0, 1.0)


def test_a_text_without_a_prompt_starts_after_an_end_token() -> None:
    examples, _ = Supervised(END).fit([([], [8, 9])], context=16)
    batch = Supervised(END).batch(examples)
    assert batch.inputs.tolist() == [[END, 8, 9]]
    assert batch.targets.tolist() == [[8, 9, END]]


@pytest.mark.parametrize(
    ("prompt", "completion", "tokens", "trained_from"),
    [
        ([1, 2, 3, 4], [5], [3, 4, 5, END], 2),
        ([1, 2, 3, 4], [5, 6], [4, 5, 6, END], 1),
        ([1, 2, 3, 4], [5, 6, 7], [4, 5, 6, 7], 1),
        ([1, 2, 3, 4], [5, 6, 7, 8, 9], [4, 5, 6, 7], 1),
        ([], [5, 6, 7, 8, 9], [END, 5, 6, 7], 1),
    ],
)
def test_the_prompt_is_cut_on_its_left_before_the_completion_loses_its_end(
    prompt: list[int], completion: list[int], tokens: list[int], trained_from: int
) -> None:
    examples, _ = Supervised(END).fit([(prompt, completion)], context=3)
    assert (examples[0].tokens.tolist(), examples[0].trained_from) == (tokens, trained_from)


def test_the_report_counts_what_was_cut_and_left_out() -> None:
    rows = [([1], [2]), ([1, 1, 1, 1], [2]), ([1], [2, 2, 2, 2, 2]), ([1], [])]
    _, fitting = Supervised(END).fit(rows, context=3)
    assert (fitting.rows, fitting.empty, fitting.prompts_cut, fitting.completions_cut) == (3, 1, 1, 1)
    assert fitting.end_kept == pytest.approx(2 / 3)
    assert fitting.trained_tokens == 2 + 2 + 3


@pytest.mark.parametrize("rows", [[], [([1, 2], [])]])
def test_nothing_to_train_on_is_refused(rows: list[tuple[list[int], list[int]]]) -> None:
    with pytest.raises(InputError, match="nothing to train on"):
        Supervised(END).fit(rows, context=8)


@settings(deadline=None, max_examples=50)
@given(
    rows=st.lists(
        st.tuples(st.lists(st.integers(1, 49), max_size=12), st.lists(st.integers(1, 49), min_size=1, max_size=12)),
        min_size=1,
        max_size=5,
    ),
    context=st.integers(1, 16),
)
def test_every_row_fits_and_trains_at_least_one_token(rows: list[tuple[list[int], list[int]]], context: int) -> None:
    examples, fitting = Supervised(END).fit(rows, context)
    batch = Supervised(END).batch(examples)
    assert batch.inputs.shape[1] <= context
    assert batch.tokens == fitting.trained_tokens
    assert bool((batch.targets != IGNORED).any(dim=1).all())
    for (prompt, completion), example in zip(rows, examples, strict=True):
        kept = example.tokens[: example.trained_from].tolist()
        trained = example.tokens[example.trained_from :].tolist()
        assert (prompt or [END])[-len(kept) :] == kept
        assert [*completion, END][: len(trained)] == trained


def test_padding_moves_nothing() -> None:
    objective, learner = Supervised(END), model()
    examples, _ = Supervised(END).fit([([1, 2], [3]), ([4], [5] * 11)], context=16)
    apart = [single.loss(objective, learner, objective.batch([example])) for example in examples]
    together, count = single.loss(objective, learner, objective.batch(examples))
    assert count == sum(part for _, part in apart)
    assert together.item() == pytest.approx(sum(nats.item() for nats, _ in apart), rel=1e-5)


def test_what_fills_the_padding_moves_nothing() -> None:
    objective, learner = Supervised(END), model()
    examples, _ = Supervised(END).fit([([1, 2], [3]), ([4], [5] * 11)], context=16)
    batch = objective.batch(examples)
    before = objective.evaluate(learner, batch)
    batch.inputs[0, 4:] = 33
    assert objective.evaluate(learner, batch) == before


def test_the_loss_ignores_how_well_the_prompt_is_predicted() -> None:
    objective, learner = Supervised(END), model()
    examples, _ = Supervised(END).fit([([7, 8, 9, 10], [11, 12])], context=16)
    states: list[torch.Tensor] = []
    hidden = learner.hidden

    def watched(tokens: torch.Tensor) -> torch.Tensor:
        states.append(hidden(tokens))
        states[-1].retain_grad()
        return states[-1]

    learner.hidden = watched  # type: ignore[method-assign]
    single.loss(objective, learner, objective.batch(examples))[0].backward()
    gradient = states[0].grad
    assert gradient is not None
    assert gradient[0].abs().sum(dim=-1).gt(0).tolist() == [False, False, False, True, True, True]


def test_it_over_fits_one_batch_and_learns_to_end() -> None:
    objective, learner = Supervised(END), model()
    optimizer = Muon().build(learner)
    examples, _ = Supervised(END).fit([([1, 2], [3, 4]), ([5], [6, 7, 8])], context=16)
    batch = objective.batch(examples)
    for _ in range(50):
        nats, count = single.loss(objective, learner, batch)
        (nats / count).backward()
        optimizer.step(1.0)
        learner.zero_grad()
    assert nats.item() / count < 0.1
    ended = learner(torch.tensor([[1, 2, 3, 4]]))[0, -1].argmax()
    assert int(ended) == END
    assert np.array_equal(examples[0].tokens, [1, 2, 3, 4, END])
