from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.errors import ConfigError, InputError
from lmcli.models.lstm import LstmModel
from lmcli.models.vectors import Vectors, begin_with, read_vectors
from lmcli.tokens.tokenizer import Tokenizer
from tests.models import tiny

LINES = ["b 1 2 3", "unheard 4 5 6", "Ā 7 8 9", "a -1 0.5 1e-3"]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """Plain bytes."""
    return Tokenizer.load(tiny.tokenizer_directory(tmp_path_factory.mktemp("t")))


def write(path: Path, lines: Sequence[str]) -> Path:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def rows(found: Vectors, tokenizer: Tokenizer) -> dict[str, list[float]]:
    return {tokenizer.decode([token]): values.tolist() for token, values in zip(found.ids, found.values, strict=True)}


@pytest.mark.parametrize("header", [[], ["4 3"]], ids=["glove", "word2vec"])
@pytest.mark.parametrize("packed", [False, True])
def test_tokens_get_the_vectors_of_the_words_they_spell(
    tmp_path: Path, tokenizer: Tokenizer, header: list[str], packed: bool
) -> None:
    path = write(tmp_path / "v.txt", [*header, *LINES])
    if packed:
        (tmp_path / "v.txt.gz").write_bytes(gzip.compress(path.read_bytes()))
        path = tmp_path / "v.txt.gz"
    found = read_vectors(path, tokenizer, 3)
    assert rows(found, tokenizer) == {"a": pytest.approx([-1, 0.5, 1e-3]), "b": [1, 2, 3]}
    assert found.counts["found"] == 2
    assert found.counts["missing"] > 90


def test_the_sign_of_a_words_start_may_be_missing(tmp_path: Path) -> None:
    path = tiny.tokenizer_directory(tmp_path / "t") / "tokenizer.json"
    document = json.loads(path.read_text())
    document["model"]["vocab"] |= {"Ġthe": 256, "the": 257, "Ġsun": 258, "moon": 259}
    for place, token in enumerate(document["added_tokens"]):
        token["id"] = 260 + place
    path.write_text(json.dumps(document))
    tokenizer = Tokenizer.load(path.parent)
    path = write(tmp_path / "v", ["the 1 1", "sun 2 2", "moon 3 3", "the 9 9"])
    assert rows(read_vectors(path, tokenizer, 2), tokenizer) == {
        " the": [1, 1],
        "the": [1, 1],
        " sun": [2, 2],
        "moon": [3, 3],
    }


def test_a_word_may_hold_spaces_tabs_may_part_it_and_lines_may_end_in_many_ways(
    tmp_path: Path, tokenizer: Tokenizer
) -> None:
    path = tmp_path / "v"
    path.write_bytes(b"a\t1\t2\r\n. . . 3 4\n\n\xff\xfe 5 6\nb 7 8 \nc 1 1")
    assert rows(read_vectors(path, tokenizer, 2), tokenizer) == {"a": [1, 2], "b": [7, 8], "c": [1, 1]}


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a 1 2 3", "b 1 2"], ":2: "),
        (["a 1 2 3", "u 1 2"], ":2: "),
        (["a 1 2 3", "b 1.0 2 3 4"], ":2: more than 3 numbers"),
        (["a 1 2 3", "c 1 2 3", "b 1 x 3"], ":3: something else"),
        (["a 1 2 nan"], ":1: something else"),
        (["a 1 1e39 2"], ":1: something else"),
        (["word"], ":1: no word"),
        (["a b c"], ":1: no word"),
        (["3 3", "a 1 2 3"], "has 1 words, and its first line says 3"),
        ([], "is empty"),
        (["a 1 2 3", "b " + "1" * 2_000_000], ":2: a line of"),
    ],
)
def test_malformed_lines_are_named(tmp_path: Path, tokenizer: Tokenizer, lines: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_vectors(write(tmp_path / "v", lines), tokenizer, 3)


def test_another_size_is_refused_with_the_right_one(tmp_path: Path, tokenizer: Tokenizer) -> None:
    for lines in (LINES, ["4 3", *LINES]):
        with pytest.raises(ConfigError, match=r"have 3 numbers, and the rows of the embedding 8") as caught:
            read_vectors(write(tmp_path / "v", lines), tokenizer, 8)
        assert "model.width = 3" in str(caught.value.hint)


@settings(deadline=None)
@given(st.floats(1e-3, 1e3))
def test_directions_and_relative_lengths_stay_and_the_scale_is_that_of_the_embedding(scale: float) -> None:
    shape = LstmModel.shape_type(vocab_size=40, width=6, depth=1, ffn=24, context=8)
    model = LstmModel(shape).initialise(0)
    drawn = model.embedding.detach().clone()
    ids, values = np.array([3, 5, 30]), np.random.default_rng(0).normal(size=(3, 6)).astype(np.float32) * scale
    begin_with(model, Vectors(ids, values, 37))
    rows = model.embedding.detach()[ids]
    ratio = rows / torch.from_numpy(values)
    assert torch.allclose(ratio, ratio[0, 0].expand_as(ratio), rtol=1e-4)
    assert rows.square().mean().sqrt().item() == pytest.approx(drawn.square().mean().sqrt().item(), rel=1e-4)
    others = [token for token in range(40) if token not in ids]
    assert torch.equal(model.embedding[others], drawn[others])
