from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from lmcli.config import decode
from lmcli.errors import ConfigError
from lmcli.models.bert import Bert, BertShape
from lmcli.models.qwen3 import Qwen3
from lmcli.models.roberta import Roberta
from lmcli.models.shape import Shape
from lmcli.objectives.batch import IGNORED, Sums
from lmcli.objectives.building import objective_for
from lmcli.objectives.masked import Masked
from lmcli.objectives.masked_text import MaskedText
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


def built(tokens: Path, **settings: Any) -> MaskedText:
    return decode(Masked, settings).build(encoded.setup(tokens))


def bert(vocab_size: int) -> Bert:
    sizes = {"width": 32, "depth": 1, "heads": 2, "kv_heads": 2, "head_dim": 16, "ffn": 64, "context": CONTEXT}
    return Bert(BertShape(vocab_size=vocab_size, **sizes)).initialise(0)  # type: ignore[arg-type]


def test_a_text_stands_between_its_tokens(tokens: Path, stream: TokenStream) -> None:
    roles = encoded.setup(tokens).tokenizer.roles
    windows = Windows(stream, CONTEXT, 5, seed=0).at(0)
    batch = built(tokens).batch(windows)
    whole = torch.where(batch.targets == IGNORED, batch.inputs, batch.targets)
    assert whole[:, 0].eq(roles["cls_token"]).all()
    assert whole[:, -1].eq(roles["sep_token"]).all()
    assert torch.equal(whole[:, 1:-1], torch.from_numpy(windows.ids[:, : CONTEXT - 2]))
    assert batch.tokens == 5 * CONTEXT
    assert batch.counts == {"masked": int((batch.targets != IGNORED).sum())}
    assert (batch.types, batch.labels) == (None, None)


def test_masks_are_drawn_anew_in_each_pass_unless_they_are_static(tokens: Path, stream: TokenStream) -> None:
    windows = Windows(stream, CONTEXT, 4, seed=0)

    def hidden(objective: MaskedText, epoch: int) -> set[int]:
        """Places of the stream."""
        found: set[int] = set()
        for step in range(epoch * windows.windows_per_epoch // 4, (epoch + 1) * windows.windows_per_epoch // 4):
            part = windows.at(step)
            for row, targets in enumerate(objective.batch(part).targets):
                found |= {(int(part.starts[row]) + int(t) - 1) % len(stream) for t in torch.nonzero(targets != IGNORED)}
        return found

    static, dynamic = built(tokens, static=True), built(tokens)
    first, second = hidden(static, 0), hidden(static, 1)
    assert len(first & second) > 0.7 * len(first)  # the rest fell between two windows
    assert len(hidden(dynamic, 0) & hidden(dynamic, 1)) < 0.4 * len(first)


def test_the_second_segment_follows_the_first_half_of_the_time(tokens: Path, stream: TokenStream) -> None:
    objective = built(tokens, pairs="nsp")
    windows = Windows(stream, CONTEXT, 400, seed=0).at(0)
    batch = objective.batch(windows)
    labels, types = batch.labels, batch.types
    assert labels is not None
    assert types is not None
    assert 0.4 < labels.double().mean() < 0.6
    assert batch.counts["nsp"] == 400
    whole = torch.where(batch.targets == IGNORED, batch.inputs, batch.targets)
    after = [stream.take(int(end), 2).tolist() for end in stream.sentence_ends]  # type: ignore[union-attr]
    firsts = {two[two[0] == stream.end_id] for two in after}
    for row, (line, segment) in enumerate(zip(whole, types, strict=True)):
        first, second = _segments(line, segment)
        text = windows.ids[row].tolist()
        assert len(first) + len(second) == CONTEXT - 3
        assert first == text[: len(first)]
        if not labels[row]:
            assert first + second == text[: CONTEXT - 3]
        if windows.sentence_ends(row)[0] < CONTEXT - 3:
            assert second[0] in firsts


def test_two_segments_are_swapped_half_of_the_time(tokens: Path, stream: TokenStream) -> None:
    windows = Windows(stream, CONTEXT, 200, seed=1).at(0)
    batch = built(tokens, pairs="order", static=True).batch(windows)
    assert batch.labels is not None
    assert batch.types is not None
    assert 60 < batch.labels.sum() < 140
    whole = torch.where(batch.targets == IGNORED, batch.inputs, batch.targets)
    for row, line in enumerate(whole):
        first, second = _segments(line, batch.types[row])
        if batch.labels[row]:
            first, second = second, first
        assert first + second == windows.ids[row, : CONTEXT - 3].tolist()


def _segments(line: torch.Tensor, types: torch.Tensor) -> tuple[list[int], list[int]]:
    return line[types == 0][1:-1].tolist(), line[types == 1][:-1].tolist()


def test_the_loss_is_that_of_the_hidden_tokens_and_of_the_pairs(tokens: Path, stream: TokenStream) -> None:
    objective, model = built(tokens, pairs="nsp"), bert(stream.vocab_size).eval()
    batch = objective.batch(Windows(stream, CONTEXT, 6, seed=0).at(0))
    hidden = model.hidden(batch.inputs, types_bt=batch.types)
    logits = model.logits(hidden).flatten(0, 1)
    expected = {
        "masked": F.cross_entropy(logits, batch.targets.flatten(), reduction="sum"),
        "nsp": F.cross_entropy(model.pair_logits(hidden), batch.labels, reduction="sum"),  # type: ignore[arg-type]
    }
    torch.testing.assert_close(dict(objective.losses(model, batch)), expected)
    sums = objective.evaluate(model, batch)
    assert sums == Sums({term: pytest.approx(nats.item()) for term, nats in expected.items()}, batch.counts)
    assert [nats.item() for nats in objective.losses(model, batch.idle()).values()] == [0, 0]


def test_how_a_batch_is_cut_changes_nothing(tokens: Path, stream: TokenStream) -> None:
    objective, windows = built(tokens, pairs="nsp", whole_words=True), Windows(stream, CONTEXT, 7, seed=0).at(2)
    (whole,), parts = objective.batches(windows, 7), objective.batches(windows, 3)
    assert torch.equal(whole.inputs, torch.cat([part.inputs for part in parts]))
    assert torch.equal(whole.targets, torch.cat([part.targets for part in parts]))
    assert whole.counts["masked"] == sum(part.counts["masked"] for part in parts)


def test_a_decoder_sees_both_sides(tokens: Path, stream: TokenStream) -> None:
    sizes = {"width": 32, "depth": 1, "heads": 2, "kv_heads": 2, "head_dim": 16, "ffn": 64, "context": CONTEXT}
    model = Qwen3(Shape(vocab_size=stream.vocab_size, **sizes)).initialise(0)  # type: ignore[arg-type]
    batch = built(tokens).batch(Windows(stream, CONTEXT, 2, seed=0).at(0))
    nats = built(tokens).losses(model, batch)["masked"]
    logits = model.logits(model.hidden(batch.inputs, sight="both")).flatten(0, 1)
    torch.testing.assert_close(nats, F.cross_entropy(logits, batch.targets.flatten(), reduction="sum"))


def test_what_is_missing_is_said_with_the_line_to_write(tmp_path: Path) -> None:
    plain = encoded.corpus(tmp_path / "plain", special_tokens=())
    with pytest.raises(ConfigError, match=r"masked needs a special token \[MASK\] or <mask>") as caught:
        built(plain)
    assert 'special_tokens = ["[CLS]", "[SEP]", "[MASK]"]' in (caught.value.hint or "")
    only = encoded.corpus(tmp_path / "only", special_tokens=("[MASK]",), sentences=False)
    batch = built(only).batch(Windows(TokenStream.open(only, "train"), CONTEXT, 2, seed=0).at(0))
    assert batch.inputs.shape == (2, CONTEXT)
    with pytest.raises(ConfigError, match=r"needs a special token \[CLS\] or <s>"):
        built(only, pairs="nsp")
    marked = encoded.corpus(tmp_path / "marked", sentences=False)
    with pytest.raises(ConfigError, match="where sentences end"):
        built(marked, pairs="nsp").batch(Windows(TokenStream.open(marked, "train"), CONTEXT, 2, seed=0).at(0))
    with pytest.raises(ConfigError, match="more than all"):
        built(marked, mask=0.9, random=0.2)


def test_a_family_without_the_head_is_refused(tokens: Path) -> None:
    setup = encoded.setup(tokens)
    pairs = [decode(Masked, {"pairs": "nsp"})]
    assert objective_for(Bert, "bert", pairs, setup).heads == {"tokens", "pairs"}
    with pytest.raises(ConfigError, match="an output layer for pairs, and roberta has none") as caught:
        objective_for(Roberta, "roberta", pairs, setup)
    assert "bert" in (caught.value.hint or "")
    assert objective_for(Roberta, "roberta", (), setup).weights == {"masked": 1.0}


def test_validation_is_the_same_each_time(tokens: Path) -> None:
    side = TokenStream.open(tokens, "validation")
    first, again = (list(built(tokens).validation(side, CONTEXT, 3)) for _ in range(2))
    assert len(first) > 1
    assert all(torch.equal(x.inputs, y.inputs) for x, y in zip(first, again, strict=True))
    assert sum(len(batch.inputs) for batch in first) == len(side) // CONTEXT
