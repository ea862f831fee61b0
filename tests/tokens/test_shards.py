from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.corpus.splits import Piece
from lmcli.errors import ArtifactError, InputError
from lmcli.progress import Silent
from lmcli.tokens.encoding import encode
from lmcli.tokens.shards import TokenStream
from lmcli.tokens.tokenizer import Tokenizer

LENGTH = 39


@pytest.fixture
def tokens(char: Tokenizer, tmp_path: Path) -> Path:
    encode([Piece("abc def " * 5, "train", False)], char, tmp_path, workers=1, progress=Silent(), shard_tokens=11)
    return tmp_path


@pytest.fixture(scope="module")
def stream(char: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> TokenStream:
    out = tmp_path_factory.mktemp("tokens")
    text = "".join(chr(ord("a") + place % 26) for place in range(LENGTH))
    encode([Piece(text, "train", False)], char, out, workers=1, progress=Silent(), shard_tokens=10)
    return TokenStream.open(out, "train")


@settings(deadline=None, max_examples=50)
@given(start=st.integers(0, 200), length=st.integers(0, 100))
def test_take_sees_one_circle_across_shards(stream: TokenStream, start: int, length: int) -> None:
    whole = stream.take(0, LENGTH)
    assert len(stream) == LENGTH
    taken = stream.take(start, length)
    assert taken.dtype == np.int64
    assert taken.tolist() == [whole[(start + place) % LENGTH] for place in range(length)]


def test_an_empty_side_has_no_tokens_to_take(tokens: Path) -> None:
    empty = TokenStream.open(tokens, "validation")
    assert (len(empty), empty.text_bytes, empty.documents) == (0, 0, 0)
    with pytest.raises(InputError, match="validation"):
        empty.take(0, 1)


def test_missing_tokens_are_named(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no tokens"):
        TokenStream.open(tmp_path, "train")


@pytest.mark.parametrize("name", ["train-00000.bin", "train-00003.bin", "train-documents.bin"])
@pytest.mark.parametrize("damage", ["missing", "shorter", "longer"])
def test_a_file_of_another_size_is_refused(tokens: Path, name: str, damage: str) -> None:
    path = tokens / name
    data = path.read_bytes()
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if damage == "shorter" and data else data + b"\0")
    with pytest.raises(ArtifactError, match=name):
        TokenStream.open(tokens, "train")


def test_a_truncated_index_is_refused(tokens: Path) -> None:
    path = tokens / "tokens.json"
    data = path.read_bytes().rstrip()
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(ArtifactError, match="tokens"):
            TokenStream.open(tokens, "train")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("format", 2),
        ("format", "1"),
        ("dtype", "uint32"),
        ("dtype", "object"),
        ("vocab_size", -1),
        ("vocab_size", 2.0),
        ("end_id", 10**6),
        ("end_id", None),
        ("sides", {}),
        ("sides", []),
    ],
)
def test_an_impossible_index_is_refused(tokens: Path, key: str, value: Any) -> None:
    path = tokens / "tokens.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(ArtifactError, match="tokens"):
        TokenStream.open(tokens, "train")


@pytest.mark.parametrize(
    "change",
    [
        {"tokens": 41},
        {"shards": [40, 0]},
        {"shards": [41, -1]},
        {"shards": "x"},
        {"shards": [True]},
        {"text_bytes": "9"},
    ],
)
def test_impossible_counts_are_refused(tokens: Path, change: dict[str, Any]) -> None:
    path = tokens / "tokens.json"
    document = json.loads(path.read_text())
    document["sides"]["train"].update(change)
    path.write_text(json.dumps(document))
    with pytest.raises(ArtifactError, match="tokens"):
        TokenStream.open(tokens, "train")
