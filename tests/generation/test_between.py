from __future__ import annotations

from pathlib import Path

import pytest

from lmcli.errors import ConfigError
from lmcli.generation.between import around
from lmcli.tokens.tokenizer import Tokenizer
from tests.models import tiny
from tests.tokens.conftest import trained

SIGNS = ("<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    return trained(["some text of letters " * 40], tmp_path_factory.mktemp("t"), "bpe", special_tokens=SIGNS)


def signs(tokenizer: Tokenizer) -> list[int]:
    vocab = tokenizer.backend.get_vocab(with_added_tokens=True)
    return [vocab[name] for name in SIGNS]


def test_both_sides_stand_behind_their_signs(tokenizer: Tokenizer) -> None:
    prefix, suffix, middle = signs(tokenizer)
    left, right = tokenizer.encode("some letters"), tokenizer.encode(" of text")
    assert around(tokenizer, "some letters", " of text", 100) == [prefix, *left, suffix, *right, middle]


@pytest.mark.parametrize(("before", "after"), [(50, 50), (3, 50), (50, 3)])
def test_too_much_is_cut_where_it_is_far_from_the_gap(before: int, after: int, tokenizer: Tokenizer) -> None:
    prefix, suffix, middle = signs(tokenizer)
    left, right = tokenizer.encode("x" * before), tokenizer.encode("y" * after)
    ids = around(tokenizer, "x" * before, "y" * after, 23)
    assert len(ids) == 23
    assert (ids[0], ids[-1]) == (prefix, middle)
    place = ids.index(suffix)
    assert ids[1:place] == left[-(place - 1) :]
    assert ids[place + 1 : -1] == right[: len(ids) - place - 2]
    assert min(place - 1, len(ids) - place - 2) >= min(10, len(left), len(right))


def test_a_tokenizer_without_the_signs_is_named(tmp_path: Path) -> None:
    plain = Tokenizer.load(tiny.tokenizer_directory(tmp_path))
    with pytest.raises(ConfigError, match=r"needs the special token <\|fim_prefix\|>"):
        around(plain, "a", "b", 10)
