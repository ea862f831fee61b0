from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch

from lmcli.corpus.sources import resolve
from lmcli.errors import InputError
from lmcli.evaluation.config import EvalConfig
from lmcli.evaluation.measuring import Subject, load
from lmcli.evaluation.scoring import TextScore, scored, texts
from lmcli.models.directory import save_model
from lmcli.models.lstm import LstmModel
from lmcli.progress import Silent
from tests.models import tiny

LINES = [
    "the cat sat",
    "",
    "a",
    "你好 世界",
    "x" * 31,
    "y" * 32,
    "a longer one that does not fit into the context of the model",
]
CONFIG = EvalConfig(device="cpu", dtype="float32", threads=1)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("m")
    save_model(tiny.model(), tiny.tokenizer_directory(tmp_path_factory.mktemp("t")), made, card="")
    return made


@pytest.fixture(scope="module")
def subject(directory: Path) -> Subject:
    return load(directory, CONFIG)


def of(subject: Subject, lines: list[str], batch: int = 4) -> list[TextScore]:
    return list(scored(subject, lines, batch, Silent()))


def test_it_is_the_sum_of_transformers(subject: Subject, directory: Path) -> None:
    transformers = pytest.importorskip("transformers")
    theirs = transformers.AutoModelForCausalLM.from_pretrained(directory).eval()
    end, context = subject.tokenizer.end_id, subject.context
    for score in of(subject, LINES):
        ids = [end, *subject.tokenizer.encode(score.text), end]
        total = text_alone = 0.0
        for start in range(0, len(ids) - 1, context):
            window = torch.tensor([ids[start : start + context + 1]])
            with torch.no_grad():
                found = theirs(window[:, :-1]).logits.log_softmax(-1).gather(2, window[:, 1:, None])[0, :, 0].double()
            total += found.sum().item()
            text_alone += found.sum().item() - (found[-1].item() if start + context + 1 >= len(ids) else 0.0)
        assert score.log_probability == pytest.approx(total, abs=1e-3)
        assert score.tokens == len(ids) - 1
        assert score.per_token == pytest.approx(total / (len(ids) - 1), abs=1e-4)
        if score.text:
            bits = -text_alone / math.log(2) / len(score.text.encode())
            assert score.bits_per_byte == pytest.approx(bits, abs=1e-4)
        else:
            assert score.bits_per_byte is None


def test_what_is_computed_beside_a_text_does_not_move_it(subject: Subject) -> None:
    alone = [of(subject, [line], 1)[0] for line in LINES]
    many = of(subject, LINES * 50, 16)
    assert [score.text for score in many] == LINES * 50
    for place, score in enumerate(many):
        expected = alone[place % len(LINES)]
        assert score.log_probability == pytest.approx(expected.log_probability, rel=1e-5)
        assert (score.tokens, score.unknown) == (expected.tokens, 0)


def test_an_lstm_has_scores_too(subject: Subject) -> None:
    shape = LstmModel.shape_type(vocab_size=258, width=8, depth=1, ffn=32, context=32)
    model = LstmModel(shape).initialise(0).eval()
    found = of(Subject(model, subject.tokenizer, subject.compute), LINES)
    assert all(-7 < score.per_token < -4 for score in found)


def test_lines_and_rows_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\r\n\ntwo\tthree\nfour")
    rows = [{"text": "five\nsix"}, {"text": ""}]
    (tmp_path / "b.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    assert list(texts(resolve(["a.txt"], tmp_path), CONFIG)) == ["one", "", "two\tthree", "four"]
    assert list(texts(resolve(["b.jsonl"], tmp_path), CONFIG)) == ["five\nsix", ""]


def test_bad_rows_are_named(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_text('{"text": "a"}\nno\n')
    with pytest.raises(InputError, match=r"b.jsonl:2"):
        list(texts(resolve(["b.jsonl"], tmp_path), CONFIG))
