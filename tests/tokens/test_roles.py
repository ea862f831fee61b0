"""The tokens that encoders need: named, and put around texts where special tokens are asked for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from lmcli.models.bert import Bert, BertShape
from lmcli.models.directory import save_model
from lmcli.progress import Silent
from lmcli.tokens.adopting import adopt
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.growing import grow, write_grown
from lmcli.tokens.tokenizer import Tokenizer
from tests.tokens.conftest import corpus, trained

transformers = pytest.importorskip("transformers")

BERT, ROBERTA = ("[CLS]", "[SEP]", "[MASK]"), ("<s>", "</s>", "<mask>")


@pytest.fixture(scope="module", params=[BERT, ROBERTA], ids=["bert", "roberta"])
def tokenizer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    kind = "wordpiece" if request.param is BERT else "bpe"
    return trained([corpus(20_000)], tmp_path_factory.mktemp("t"), kind=kind, special_tokens=request.param)


def check(directory: Path, tokenizer: Tokenizer) -> None:
    """A directory says what `tokenizer` does, to transformers and here."""
    theirs = transformers.AutoTokenizer.from_pretrained(directory)
    roles = tokenizer.roles
    assert (theirs.cls_token_id, theirs.sep_token_id, theirs.mask_token_id) == tuple(roles.values())
    plain = tokenizer.encode("the statement")
    assert theirs("the statement", add_special_tokens=False)["input_ids"] == plain
    cls, sep = roles["cls_token"], roles["sep_token"]
    assert theirs("the statement")["input_ids"] == [cls, *plain, sep]
    between = [sep, sep] if theirs.cls_token == "<s>" else [sep]
    assert theirs("the statement", "the statement")["input_ids"] == [cls, *plain, *between, *plain, sep]


def test_transformers_puts_them_around_texts(tokenizer: Tokenizer) -> None:
    check(tokenizer.path.parent, tokenizer)
    assert tokenizer.encode("[CLS] <s>")[0] != tokenizer.roles["cls_token"]


def test_they_stay_when_a_tokenizer_is_taken_over_or_grows(tokenizer: Tokenizer, tmp_path: Path) -> None:
    report = adopt(tokenizer.path.parent, "theirs", TokenizerConfig(), tmp_path / "adopted", Silent())
    assert report.left_out == ()
    check(tmp_path / "adopted", tokenizer)
    write_grown(grow(tokenizer, [" qzqz"]), tmp_path / "adopted")
    check(tmp_path / "adopted", Tokenizer.load(tmp_path / "adopted"))


def test_a_model_with_segments_is_told_them(tmp_path: Path) -> None:
    tokenizer = trained([corpus(20_000)], tmp_path / "t", kind="wordpiece", special_tokens=BERT)
    sizes = {"width": 32, "depth": 1, "heads": 2, "kv_heads": 2, "head_dim": 16, "ffn": 64, "context": 24}
    model = Bert(BertShape(vocab_size=tokenizer.vocab_size, **sizes)).initialise(0)  # type: ignore[arg-type]
    save_model(model, tmp_path / "t", tmp_path / "m", card="")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "m")
    types = theirs("the statement", "the value")["token_type_ids"]
    assert types == [0] * (2 + len(tokenizer.encode("the statement"))) + [1] * (1 + len(tokenizer.encode("the value")))
    fill = transformers.pipeline("fill-mask", model=str(tmp_path / "m"), tokenizer=theirs)
    assert len(fill("the [MASK] is")) == 5


@pytest.mark.parametrize("names", [("[CLS]", "[SEP]"), ("<s>", "</s>"), ("[MASK]",), ()])
def test_texts_stay_as_they_are_where_one_is_missing(names: tuple[str, ...], tmp_path: Path) -> None:
    tokenizer = trained([corpus(5_000)], tmp_path, special_tokens=names)
    assert json.loads(tokenizer.path.read_text())["post_processor"] is None
    assert len(tokenizer.roles) == len(names)


def test_names_that_are_stated_win(tmp_path: Path) -> None:
    tokenizer = trained([corpus(5_000)], tmp_path, special_tokens=(*BERT, "<hide>"))
    config = tmp_path / "tokenizer_config.json"
    config.write_text(json.dumps({**json.loads(config.read_text()), "mask_token": {"content": "<hide>"}}))
    ids = tokenizer.backend.get_vocab(with_added_tokens=True)
    assert Tokenizer.load(tmp_path).roles["mask_token"] == ids["<hide>"]
