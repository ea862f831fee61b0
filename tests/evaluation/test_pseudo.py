from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch

from lmcli.evaluation.config import EvalConfig
from lmcli.evaluation.masks import Filler
from lmcli.evaluation.pseudo import pseudo_scored
from lmcli.evaluation.scoring import TextScore
from lmcli.models.bert import Bert, BertShape
from lmcli.models.directory import save_model
from lmcli.progress import Silent
from tests.objectives import encoded

SIZES = {"width": 32, "depth": 2, "heads": 2, "kv_heads": 2, "head_dim": 16, "ffn": 64, "context": 12}
LINES = [
    "The cat sat on the mat.",
    "A dog",
    "",
    "My zebra sat.",
    "The old owl slept in a box. This hen ran under the log. My rat lay on the mat.",
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tokens = encoded.corpus(tmp_path_factory.mktemp("corpus"))
    made = tmp_path_factory.mktemp("model")
    vocab = encoded.vocab_size(tokens)
    model = Bert(BertShape(vocab_size=vocab, **SIZES)).initialise(0)  # type: ignore[arg-type]
    save_model(model, tokens.parent / "tokenizer", made, card="")
    return made


@pytest.fixture(scope="module")
def filler(directory: Path) -> Filler:
    return Filler.load(directory, EvalConfig(device="cpu", dtype="float32", threads=1))


def of(filler: Filler, lines: list[str], batch: int = 4) -> list[TextScore]:
    return list(pseudo_scored(filler, lines, batch, Silent()))


def test_it_is_the_sum_over_single_masks_of_transformers(filler: Filler, directory: Path) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.BertForMaskedLM.from_pretrained(directory).eval()
    roles = filler.tokenizer.roles
    for score in of(filler, LINES):
        ids, total = filler.tokenizer.encode(score.text), 0.0
        for start in range(0, len(ids), 10):  # a context of 12, less the two signs around the text
            row = [roles["cls_token"], *ids[start : start + 10], roles["sep_token"]]
            for place in range(1, len(row) - 1):
                masked = torch.tensor([[*row[:place], roles["mask_token"], *row[place + 1 :]]])
                with torch.no_grad():
                    total += float(theirs(masked).logits.log_softmax(-1)[0, place, row[place]])
        assert score.log_probability == pytest.approx(total, abs=1e-4)
        assert score.tokens == len(ids)
        assert score.per_token == pytest.approx(total / max(1, len(ids)), abs=1e-5)
        if score.text:
            assert score.bits_per_byte == pytest.approx(-total / math.log(2) / len(score.text.encode()), abs=1e-5)
        else:
            assert score.bits_per_byte is None


def test_the_batch_and_the_other_texts_move_nothing(filler: Filler) -> None:
    for score, other in zip(of(filler, LINES, 1), of(filler, LINES[::-1], 16)[::-1], strict=True):
        assert score.text == other.text
        assert score.log_probability == pytest.approx(other.log_probability, abs=1e-4)


def test_unknown_words_are_counted(filler: Filler) -> None:
    assert [score.unknown for score in of(filler, LINES)] == [0, 0, 0, 1, 0]
