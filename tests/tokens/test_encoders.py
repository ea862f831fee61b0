from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.tokens.encoders import Encoder, agree, choose
from lmcli.tokens.tokenizer import Tokenizer
from tests.tokens.conftest import trained
from tests.tokens.test_pretokenization import TEXT


def fast(tokenizer: Tokenizer) -> Encoder:
    encoder = choose(tokenizer, [])
    assert encoder.name == {"bytes": "tiktoken", "characters": "table"}[str(tokenizer.unit)]
    return encoder


@settings(deadline=None, max_examples=50)
@given(st.one_of(TEXT, st.text()))
def test_the_fast_encoder_gives_the_ids_of_tokenizers(either: Tokenizer, text: str) -> None:
    assert fast(either).encode(text).tolist() == either.encode_part(text)


@pytest.mark.parametrize(
    ("sign", "count"), [("a", 50_000), ("ab", 50_000), ("(", 50_000), ("中", 50_000), ("\t \n", 20_000), (" ", 400_000)]
)
def test_endless_words_have_the_same_ids(bpe: Tokenizer, sign: str, count: int) -> None:
    text = "x" + sign * count + "x"
    assert fast(bpe).encode(text).tolist() == bpe.encode(text)


@pytest.mark.slow
def test_every_character_is_split_alike(bpe: Tokenizer) -> None:
    encoder = fast(bpe)
    for start in range(0, 0x110000, 0x800):
        assigned = start < 0x40000 or 0xE0000 <= start < 0xF0000
        places = range(start, start + 0x800, 1 if assigned else 97)
        signs = [chr(place) for place in places if not 0xD800 <= place < 0xE000]
        text = "".join(f"a{c}b 1{c}2.{c}, {c} {c}a\n{c}\n'{c}s\t{c}x{c}{c}  {c}\r\n{c}" for c in signs)
        assert encoder.encode(text).tolist() == bpe.encode_part(text)


def test_random_merges_are_still_encoded_alike(tmp_path: Path) -> None:
    chance = np.random.default_rng(0)
    words = ["".join(chance.choice(list("aabc"), size=chance.integers(1, 12))) for _ in range(4000)]
    tokenizer = trained([" ".join(words)], tmp_path, vocab_size=800)
    others = " ".join("".join(chance.choice(list("abc"), size=chance.integers(1, 40))) for _ in range(4000))
    assert fast(tokenizer).encode(others).tolist() == tokenizer.encode(others)


def _changed(tokenizer: Tokenizer, directory: Path, **model: object) -> Tokenizer:
    document = copy.deepcopy(json.loads(tokenizer.path.read_text()))
    document["model"].update(model)
    (directory / "tokenizer.json").write_text(json.dumps(document))
    return Tokenizer.load(directory)


def test_merges_in_another_order_are_left_to_tokenizers(bpe: Tokenizer, tmp_path: Path) -> None:
    merges = bpe.document["model"]["merges"]
    other = _changed(bpe, tmp_path, merges=[*merges[1:], merges[0]])
    assert other.unit == "bytes"
    assert choose(other, []).name == "tokenizers"


def test_other_settings_are_left_to_tokenizers(bpe: Tokenizer, tmp_path: Path) -> None:
    assert choose(_changed(bpe, tmp_path, ignore_merges=True), []).name == "tokenizers"


def test_an_encoder_that_differs_somewhere_is_noticed(bpe: Tokenizer) -> None:
    reference = fast(bpe)
    wrong = Encoder("wrong", lambda text: reference.encode(text.replace("zebra", "zebu")))
    assert agree(wrong, reference, ["cat", "dog"])
    assert not agree(wrong, reference, ["cat", "a zebra"])
