from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from lmcli.config import decode
from lmcli.corpus.documents import Document
from lmcli.errors import ArtifactError, ConfigError, InputError
from lmcli.evaluation.config import EvalConfig
from lmcli.evaluation.masks import Filler, TextStream, measure_masks
from lmcli.models.bert import Bert, BertShape
from lmcli.models.directory import save_model
from lmcli.models.electra import Electra
from lmcli.models.electra_shape import ElectraShape
from lmcli.models.model import Model
from lmcli.objectives.batch import IGNORED
from lmcli.progress import Silent
from lmcli.tokens.shards import TokenStream
from tests.objectives import encoded

SIZES = {"width": 32, "depth": 1, "heads": 2, "kv_heads": 2, "head_dim": 16, "ffn": 64, "context": 24}
CONFIG = EvalConfig(dtype="float32", batch=3)


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return encoded.corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture(scope="module")
def side(tokens: Path) -> TokenStream:
    return TokenStream.open(tokens, "validation")


def filler(model: Model, tokens: Path, out: Path) -> Filler:
    save_model(model, tokens.parent / "tokenizer", out, card="")
    return Filler.load(out, CONFIG)


def bert(vocab_size: int) -> Bert:
    return Bert(BertShape(vocab_size=vocab_size, **SIZES)).initialise(0)  # type: ignore[arg-type]


def test_loss_and_accuracy_are_those_of_the_masked_tokens(tokens: Path, side: TokenStream, tmp_path: Path) -> None:
    own = filler(bert(side.vocab_size), tokens, tmp_path)
    found = measure_masks(own, side, CONFIG, Silent())
    windows = len(side) // 22
    assert found.counts == {"tokens": sum(score.n for score in found.scores[:1]) * 3, "text_bytes": side.text_bytes}
    assert {score.name for score in found.scores} == {"masked_loss", "masked_accuracy"}
    assert found.scores[0].n == windows
    assert found.figures["masked_loss"] == pytest.approx(4.8, abs=0.4)
    others = measure_masks(own, side, decode(EvalConfig, {"dtype": "float32", "batch": 5}), Silent())
    assert found.figures == pytest.approx(others.figures, rel=1e-6)
    assert found.counts == others.counts
    assert found.figures["masked_accuracy"] == others.figures["masked_accuracy"]
    other = measure_masks(own, side, decode(EvalConfig, {"dtype": "float32", "seed": 1}), Silent())
    assert other.figures != found.figures


def test_a_model_that_knows_the_answer_has_no_loss(tokens: Path, side: TokenStream, tmp_path: Path) -> None:
    own = filler(bert(side.vocab_size), tokens, tmp_path)

    class Knowing(torch.nn.Module):
        kind, shape = "encoder", own.model.shape

        def hidden(self, inputs: torch.Tensor, types_bt: object = None) -> torch.Tensor:
            return F.one_hot(torch.full_like(inputs, 90), 125).float()

        def before_output(self, states: torch.Tensor) -> torch.Tensor:
            return states

        @property
        def output(self) -> object:
            from lmcli.models.heads import Head

            return Head(torch.eye(125) * 50)

    answers = Filler(Knowing(), own.tokenizer, own.compute)
    found = measure_masks(answers, side, CONFIG, Silent())
    ids = side.take(0, len(side))
    assert found.figures["masked_accuracy"] == pytest.approx((ids == 90).mean(), abs=0.2)
    assert IGNORED not in ids


def test_electra_is_measured_by_both_networks(tokens: Path, side: TokenStream, tmp_path: Path) -> None:
    shape = {"embedding_width": 16, "generator_width": 16, "generator_heads": 1, "generator_ffn": 32}
    model = Electra(ElectraShape(vocab_size=side.vocab_size, **SIZES, **shape)).initialise(0)  # type: ignore[arg-type]
    torch.nn.init.constant_(model.replaced_bias, -9.0)
    found = measure_masks(filler(model, tokens, tmp_path), side, CONFIG, Silent()).figures
    assert 0 < found["replaced_share"] < 0.15
    assert found["replaced_accuracy"] == pytest.approx(1 - found["replaced_share"])
    assert found["replaced_recall"] == 0
    assert found["masked_loss"] == pytest.approx(4.8, abs=0.4)


def test_documents_are_read_one_after_the_other(tokens: Path, side: TokenStream, tmp_path: Path) -> None:
    own = filler(bert(side.vocab_size), tokens, tmp_path)
    documents = [Document(str(n), text) for n, text in enumerate(encoded.documents()[:4])]
    text = TextStream(documents, own.tokenizer)
    assert text.take(0, len(text)).tolist() == side.take(0, len(side)).tolist()
    assert measure_masks(own, text, CONFIG, Silent()) == measure_masks(own, side, CONFIG, Silent())
    short = TextStream([Document("0", "cat", ends=False)], own.tokenizer)
    assert measure_masks(own, short, CONFIG, Silent()).counts["tokens"] == 1
    with pytest.raises(InputError, match="no text to evaluate"):
        measure_masks(own, TextStream([], own.tokenizer), CONFIG, Silent())


def test_what_cannot_be_measured_is_refused(tokens: Path, side: TokenStream, tmp_path: Path) -> None:
    own = filler(bert(side.vocab_size), tokens, tmp_path / "a")
    with pytest.raises(ConfigError, match="an encoder writes none"):
        measure_masks(own, side, decode(EvalConfig, {"metrics": ["bleu"]}), Silent())
    plain = encoded.corpus(tmp_path / "plain", special_tokens=())
    with pytest.raises(ArtifactError, match="no mask token"):
        filler(bert(side.vocab_size), plain, tmp_path / "b")
    with pytest.raises(ArtifactError, match="another tokenizer"):
        measure_masks(own, TokenStream.open(plain, "validation"), CONFIG, Silent())
