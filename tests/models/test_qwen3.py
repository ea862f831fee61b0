from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from lmcli.models.qwen3 import Qwen3
from tests.models import tiny

KINDS = [{}, {"kv_heads": 2}, {"kv_heads": 1, "tie_embeddings": False}]


@pytest.mark.parametrize("changes", KINDS)
def test_a_later_token_never_moves_an_earlier_score(changes: dict[str, object]) -> None:
    model, tokens = tiny.model(**changes), tiny.tokens(2, 20)
    changed = tokens.clone()
    changed[:, 12] = (changed[:, 12] + 1) % 256
    before, after = model(tokens), model(changed)
    assert torch.equal(before[:, :12], after[:, :12])
    assert not torch.allclose(before[:, 12], after[:, 12])
    assert not torch.allclose(before[:, 19], after[:, 19])


@pytest.mark.parametrize("changes", KINDS)
@pytest.mark.parametrize("cuts", [(1,) * 32, (10, 5, 17), (31, 1)])
def test_scores_with_a_cache_are_those_without(changes: dict[str, object], cuts: tuple[int, ...]) -> None:
    model, tokens = tiny.model(**changes), tiny.tokens(2, 32)
    cache = model.new_cache(32)
    parts = [model.logits(model.hidden(part, cache)) for part in tokens.split(cuts, dim=1)]
    assert torch.allclose(torch.cat(parts, 1), model(tokens), atol=1e-5)


def test_padding_on_the_left_never_moves_a_real_score() -> None:
    model, tokens, padding = tiny.model(kv_heads=2), tiny.tokens(3, 12), torch.tensor([0, 3, 11])
    scores = model.logits(model.hidden(tokens, padding_b=padding))
    assert torch.isfinite(scores).all()
    for row, pad in enumerate(padding.tolist()):
        assert torch.allclose(scores[row, pad:], model(tokens[row : row + 1, pad:])[0], atol=1e-5)


def test_padding_holds_through_the_cache() -> None:
    model, tokens, padding = tiny.model(), tiny.tokens(2, 12), torch.tensor([0, 5])
    cache = model.new_cache(12)
    parts = [model.logits(model.hidden(part, cache, padding)) for part in tokens.split((8, 3, 1), dim=1)]
    scores = torch.cat(parts, 1)
    assert torch.allclose(scores[0], model(tokens[:1])[0], atol=1e-5)
    assert torch.allclose(scores[1, 5:], model(tokens[1:, 5:])[0], atol=1e-5)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("width", [32, 384, 768])
def test_the_first_loss_is_that_of_guessing(tied: bool, width: int) -> None:
    vocab = 1000
    shape = tiny.shape(vocab_size=vocab, width=width, head_dim=width // 4, tie_embeddings=tied)
    model, tokens = Qwen3(shape).initialise(0), tiny.tokens(4, 32, vocab)
    loss = F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(vocab), abs=0.5)


def test_initialisation_follows_its_seed_alone() -> None:
    torch.manual_seed(1)
    first = Qwen3(tiny.shape()).initialise(7).state_dict()
    torch.manual_seed(2)
    again = Qwen3(tiny.shape()).initialise(7).state_dict()
    other = Qwen3(tiny.shape()).initialise(8).state_dict()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["embedding"], other["embedding"])


def test_building_and_initialising_leave_the_global_generator_alone() -> None:
    before = torch.get_rng_state()
    Qwen3(tiny.shape()).initialise(0)
    assert torch.equal(before, torch.get_rng_state())


def test_dropout_acts_in_training_only() -> None:
    model, tokens = tiny.model(dropout=0.5), tiny.tokens(1, 8)
    assert torch.equal(model(tokens), model(tokens))
    model.train()
    assert not torch.equal(model(tokens), model(tokens))


def test_it_learns_one_batch_by_heart() -> None:
    torch.manual_seed(0)
    model, tokens = Qwen3(tiny.shape(tie_embeddings=False)).initialise(0).train(), tiny.tokens(4, 24)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, weight_decay=0.0)
    for _ in range(100):
        loss = F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.05


def test_bfloat16_gives_hidden_states_in_bfloat16_and_scores_in_float32() -> None:
    model, tokens = tiny.model(kv_heads=2), tiny.tokens(2, 16)
    exact = model(tokens)
    with torch.autocast("cpu", torch.bfloat16):
        hidden, scores = model.hidden(tokens), model(tokens)
    assert (hidden.dtype, scores.dtype) == (torch.bfloat16, torch.float32)
    assert 0 < (scores - exact).abs().max() < 0.05 * exact.abs().max()
