from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from lmcli.config import decode
from lmcli.errors import ConfigError
from lmcli.models.bert import Bert
from lmcli.models.electra import Electra
from lmcli.models.electra_shape import ElectraShape
from lmcli.models.heads import Head
from lmcli.objectives.batch import IGNORED
from lmcli.objectives.building import objective_for
from lmcli.objectives.masked import Masked
from lmcli.objectives.replaced import Replaced
from lmcli.objectives.replaced_tokens import ReplacedTokens, drawn_tokens, filled
from lmcli.tokens.shards import TokenStream
from lmcli.tokens.windows import Windows
from tests.objectives import encoded

CONTEXT = 24


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoded.corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def stream(tokens: Path) -> TokenStream:
    return TokenStream.open(tokens, "train")


def built(tokens: Path, **settings: Any) -> ReplacedTokens:
    return decode(Replaced, settings).build(encoded.setup(tokens))


def electra(vocab_size: int) -> Electra:
    sizes = {"width": 32, "depth": 1, "heads": 2, "kv_heads": 2, "head_dim": 16, "ffn": 64, "context": CONTEXT}
    own = {"embedding_width": 16, "generator_width": 16, "generator_heads": 1, "generator_ffn": 32}
    return Electra(ElectraShape(vocab_size=vocab_size, **sizes, **own)).initialise(0)  # type: ignore[arg-type]


def test_tokens_are_drawn_by_their_probabilities() -> None:
    output = Head(torch.eye(4), torch.tensor([0.0, 1.0, 2.0, -1.0]))
    uniform = torch.rand(20_000, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    drawn = drawn_tokens(torch.zeros(20_000, 4), output, uniform)
    found = torch.bincount(drawn, minlength=4) / 20_000
    torch.testing.assert_close(found, output.bias.softmax(0), atol=0.01, rtol=0)  # type: ignore[union-attr]
    edges = drawn_tokens(torch.zeros(2, 4), output, torch.tensor([0.0, 1 - 1e-12], dtype=torch.float64))
    assert edges.tolist() == [0, 3]


def test_only_hidden_tokens_are_filled_in(tokens: Path, stream: TokenStream) -> None:
    model, objective = electra(stream.vocab_size), built(tokens, mask=1.0)
    batch = objective.batch(Windows(stream, CONTEXT, 6, seed=0).at(0))
    chosen = batch.targets != IGNORED
    mask_id = encoded.setup(tokens).tokenizer.roles["mask_token"]
    assert batch.inputs[chosen].eq(mask_id).all()
    states = model.generator.before_output(model.generator.hidden(batch.inputs)[chosen])
    text, replaced = filled(batch, states, model.generator.output, batch.targets[chosen])
    original = torch.where(chosen, batch.targets, batch.inputs)
    assert torch.equal(text[~chosen], original[~chosen])
    assert torch.equal(replaced, text != original)
    assert replaced.any()


def test_the_loss_is_that_of_both_networks(tokens: Path, stream: TokenStream) -> None:
    model, objective = electra(stream.vocab_size).eval(), built(tokens)
    batch = objective.batch(Windows(stream, CONTEXT, 6, seed=0).at(0))
    assert objective.weights == {"generator": 1.0, "discriminator": 50.0}
    assert batch.counts == {"generator": int((batch.targets != IGNORED).sum()), "discriminator": 6 * CONTEXT}
    chosen = batch.targets != IGNORED
    generator = model.generator
    states = generator.before_output(generator.hidden(batch.inputs)[chosen])
    text, replaced = filled(batch, states, generator.output, batch.targets[chosen])
    logits = model.replaced_logits(model.hidden(text))
    expected = {
        "generator": F.cross_entropy(generator.output.logits(states), batch.targets[chosen], reduction="sum"),
        "discriminator": F.binary_cross_entropy_with_logits(logits, replaced.float(), reduction="sum"),
    }
    found = objective.losses(model, batch)
    torch.testing.assert_close(dict(found), expected)
    assert objective.evaluate(model, batch).nats == {name: pytest.approx(x.item()) for name, x in expected.items()}
    assert [nats.item() for nats in objective.losses(model, batch.idle()).values()] == [0, 0]


def test_no_gradient_passes_the_drawing(tokens: Path, stream: TokenStream) -> None:
    model, objective = electra(stream.vocab_size), built(tokens)
    batch = objective.batch(Windows(stream, CONTEXT, 6, seed=0).at(0))
    objective.losses(model, batch)["discriminator"].backward()
    assert all(parameter.grad is None for parameter in model.generator.blocks.parameters())
    assert model.embedding.grad is not None  # shared, and reached through the discriminator


def test_what_is_drawn_follows_from_the_window_alone(tokens: Path, stream: TokenStream) -> None:
    objective, windows = built(tokens), Windows(stream, CONTEXT, 7, seed=0).at(2)
    (whole,), parts = objective.batches(windows, 7), objective.batches(windows, 2)
    for name in ("inputs", "targets", "draws"):
        assert torch.equal(getattr(whole, name), torch.cat([getattr(part, name) for part in parts]))
    assert whole.draws is not None
    assert len(np.unique(whole.draws)) == 7 * CONTEXT


def test_families_and_objectives_that_do_not_fit_are_refused(tokens: Path) -> None:
    setup = encoded.setup(tokens)
    assert objective_for(Electra, "electra", (), setup).heads == {"replaced"}
    with pytest.raises(ConfigError, match="an output layer for replaced, and bert has none") as caught:
        objective_for(Bert, "bert", [Replaced()], setup)
    assert "electra" in (caught.value.hint or "")
    with pytest.raises(ConfigError, match="an output layer for tokens, and electra has none"):
        objective_for(Electra, "electra", [Masked()], setup)
