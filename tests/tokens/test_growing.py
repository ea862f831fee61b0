"""More ordinary tokens in a vocabulary: old ids stay, texts come back, transformers agrees."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.errors import InputError
from lmcli.tokens.growing import grow, read_tokens, remark, write_grown
from lmcli.tokens.special import END
from lmcli.tokens.tokenizer import StreamDecoder, Tokenizer
from tests.tokens.conftest import corpus, trained

NEW = [" hyperparameter", "naïve", "床前明月", "é", "x y", "Ωmega"]


def grown(tokenizer: Tokenizer, out: Path, tokens: list[str]) -> Tokenizer:
    shutil.copytree(tokenizer.path.parent, out, dirs_exist_ok=True)
    write_grown(grow(tokenizer, tokens), out)
    return Tokenizer.load(out)


@pytest.fixture(scope="module", params=["bpe", "unigram", "char", "word", "wordpiece"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Tokenizer, Tokenizer]:
    old = trained([corpus(30_000) + "éïΩ"], tmp_path_factory.mktemp("old"), kind=request.param)
    tokens = [token for token in NEW if not (request.param == "char" and len(token) == 1)]
    return old, grown(old, tmp_path_factory.mktemp("new"), tokens)


def test_new_tokens_have_the_next_ids_and_old_ids_stay(pair: tuple[Tokenizer, Tokenizer]) -> None:
    old, new = pair
    before, after = (item.backend.get_vocab(with_added_tokens=True) for item in pair)
    assert before.items() <= after.items()
    added = sorted(after.keys() - before.keys(), key=after.__getitem__)
    assert [after[token] for token in added] == list(range(old.vocab_size, old.vocab_size + len(added)))
    assert set(added) <= set(NEW)
    assert {" hyperparameter", "naïve"} <= set(added)
    assert (new.end_id, new.pad_id, new.unknown_id) == (old.end_id, old.pad_id, old.unknown_id)
    assert old.encode("It is what it is.\n") == new.encode("It is what it is.\n")


@settings(deadline=None, max_examples=60)
@given(text=st.lists(st.sampled_from([*NEW, *"abéïΩx y\n中,", END]), max_size=30).map("".join))
def test_texts_come_back(pair: tuple[Tokenizer, Tokenizer], text: str) -> None:
    old, new = pair
    ids = new.encode(text)
    assert new.end_id not in ids
    if old.unknown_id is None:
        assert new.decode(ids) == text
    if new.token_texts is not None:
        assert b"".join(new.token_texts[place] for place in ids) == new.decode(ids).encode()
    stream = StreamDecoder(new)
    assert "".join(map(stream.push, ids)) + stream.flush() == new.decode(ids)
    parts = list(new.parts(text * 3))
    assert [token for part in parts for token in new.encode_part(part)] == new.encode_part(text * 3)


@pytest.mark.filterwarnings("default")
def test_transformers_agrees(pair: tuple[Tokenizer, Tokenizer]) -> None:
    transformers = pytest.importorskip("transformers")
    _, new = pair
    theirs = transformers.AutoTokenizer.from_pretrained(new.path.parent)
    assert len(theirs) == new.vocab_size
    for text in [corpus(3_000), "a hyperparameter, naïve 床前明月光 é x y Ωmega"]:
        assert theirs(text)["input_ids"] == new.encode(text)
        assert theirs.decode(new.encode(text)) == new.decode(new.encode(text))


def test_each_new_token_knows_how_it_was_spelled(bpe: Tokenizer) -> None:
    found = grow(bpe, [" the", "naïve", END, "the zoo"])
    assert list(found.spelled) == ["naïve", "the zoo"]
    assert found.known == [" the", END]
    assert all(bpe.decode(pieces) == token and len(pieces) > 1 for token, pieces in found.spelled.items())


def test_long_texts_are_still_cut_unless_a_token_would_be(bpe: Tokenizer, tmp_path: Path, text: str) -> None:
    whole = grown(bpe, tmp_path / "a", ["hyperparameter", "x y"])
    cut = grown(bpe, tmp_path / "b", ["hyperparameter", " zoo", "床前"])
    longer = text * 5
    assert len(list(whole.parts(longer))) == 1
    assert len(list(cut.parts(longer))) > 1
    assert cut.encode(longer) == cut.encode_part(longer)
    assert bpe.unit == "bytes"
    assert cut.unit is None


def test_growing_twice(bpe: Tokenizer, tmp_path: Path) -> None:
    once = grown(bpe, tmp_path / "a", ["naïve"])
    twice = grown(once, tmp_path / "b", ["naïve", "Übung"])
    assert twice.vocab_size == bpe.vocab_size + 2
    assert twice.decode(twice.encode("naïve Übung")) == "naïve Übung"
    assert len(twice.encode("naïve Übung")) == 3


def test_a_remark_about_missing_spaces(bpe: Tokenizer) -> None:
    assert "1 of the new tokens" in (remark(grow(bpe, ["hyperparameter", " zoology"])) or "")
    assert remark(grow(bpe, [" zoology"])) is None


def test_the_file(tmp_path: Path) -> None:
    path = tmp_path / "tokens"
    path.write_bytes("\ufeffred hat\r\n\n  \n the\nred hat\n床".encode())
    assert read_tokens(path) == ["red hat", " the", "床"]


@pytest.mark.parametrize(
    ("data", "said"),
    [(b"\n\n", "holds 0 tokens"), (b"a\n\xff", "byte 2"), (b"a\n" + b"x" * 300, ":2: a token of more")],
)
def test_a_bad_file(tmp_path: Path, data: bytes, said: str) -> None:
    path = tmp_path / "tokens"
    path.write_bytes(data)
    with pytest.raises(InputError, match=said):
        read_tokens(path)
    with pytest.raises(InputError, match="there is no file"):
        read_tokens(tmp_path / "none")
