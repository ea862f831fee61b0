from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from lmcli.errors import ConfigError
from lmcli.models.qwen3 import Qwen3
from lmcli.models.shape import Shape
from lmcli.objectives.batch import IGNORED, Sums, make_batch
from lmcli.objectives.building import objective_for
from lmcli.objectives.next_token import RunningText
from lmcli.objectives.setup import Setup
from lmcli.training.optimizers.adamw import AdamW
from tests.objectives import single

END = 0
VOCAB = 97


def model(seed: int = 1) -> Qwen3:
    shape = Shape(vocab_size=VOCAB, width=32, depth=2, heads=2, kv_heads=2, head_dim=16, ffn=64, context=16)
    return Qwen3(shape).initialise(seed)


def windows(rows: int = 6, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, VOCAB, (rows, 17))


def test_targets_lie_one_token_after_inputs() -> None:
    batch = RunningText(END).batch(np.array([[5, 6, 7], [8, 9, 0]], dtype=np.uint16))
    assert batch.inputs.tolist() == [[5, 6], [8, 9]]
    assert batch.targets.tolist() == [[6, 7], [9, 0]]
    assert batch.tokens == 4


def test_an_untrained_model_is_as_unsure_as_the_vocabulary_is_large() -> None:
    nats, count = single.loss(RunningText(END), model(), RunningText(END).batch(windows()))
    assert nats.item() / count == pytest.approx(math.log(VOCAB), abs=0.1)


def test_it_over_fits_one_batch() -> None:
    objective, learner = RunningText(END), model()
    optimizer = AdamW(lr=1e-2).build(learner)
    batch = objective.batch(windows(2))
    for _ in range(50):
        nats, count = single.loss(objective, learner, batch)
        (nats / count).backward()
        optimizer.step(1.0)
        learner.zero_grad()
    assert nats.item() / count < 0.1


@pytest.mark.parametrize("rows", [1, 4, 16])
def test_evaluation_adds_up_to_the_same_sums_for_any_batch_size(rows: int) -> None:
    objective, trained = RunningText(END), model().eval()
    data = windows(16)
    whole = objective.evaluate(trained, objective.batch(data))
    parts = [objective.evaluate(trained, objective.batch(data[at : at + rows])) for at in range(0, 16, rows)]
    total = sum(parts, Sums())
    assert single.total(total)[1] == single.total(whole)[1] == 16 * 16
    assert single.total(total)[0] == pytest.approx(single.total(whole)[0], rel=1e-6)
    assert total.text_nats == pytest.approx(whole.text_nats, rel=1e-6)


def test_end_tokens_count_for_the_loss_but_not_for_the_text() -> None:
    objective, trained = RunningText(END), model().eval()
    data = np.where(windows() == END, 1, windows())
    without = objective.evaluate(trained, objective.batch(data))
    assert without.text_nats == single.total(without)[0]
    data[:, -1] = END
    with_ends = objective.evaluate(trained, objective.batch(data))
    assert with_ends.text_nats < single.total(with_ends)[0]
    assert single.total(with_ends)[1] == single.total(without)[1]


def test_positions_without_a_target_have_no_gradient_and_no_loss() -> None:
    objective, learner = RunningText(END), model()
    data = windows(3)
    targets = data[:, 1:].copy()
    targets[:, 5:] = IGNORED
    batch = make_batch("causal", data[:, :-1].copy(), targets)
    states: list[torch.Tensor] = []
    hidden = learner.hidden

    def watched(tokens: torch.Tensor) -> torch.Tensor:
        states.append(hidden(tokens))
        states[-1].retain_grad()
        return states[-1]

    learner.hidden = watched  # type: ignore[method-assign]
    nats, count = single.loss(objective, learner, batch)
    nats.backward()
    gradient = states[0].grad
    assert count == 15
    assert gradient is not None
    assert torch.all(gradient[:, 5:] == 0)
    assert torch.all(gradient[:, :5].abs().sum(dim=-1) > 0)


def test_pretraining_objectives_are_asked_what_they_need() -> None:
    """The default of a family, and a family of another kind."""
    built = objective_for(Qwen3, "qwen3", (), Setup(END))
    assert isinstance(built, RunningText)

    class Other(Qwen3):
        kind = "encoder-decoder"

    with pytest.raises(ConfigError, match="needs a model that is a decoder or encoder, and t5 is a encoder-decoder"):
        objective_for(Other, "t5", (), Setup(END))
