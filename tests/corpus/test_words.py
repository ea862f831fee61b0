from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcli.corpus.words import PATTERN, folded_words, is_spaceless, tokens, words

TOKENS = [
    ("", []),
    (" \t\n\u3000", []),
    ("Hello, world!", ["Hello", ",", "world", "!"]),
    ("don't stop", ["don't", "stop"]),
    ("don’t stop", ["don’t", "stop"]),
    ("rock-'n'-roll", ["rock", "-", "'", "n", "'", "-", "roll"]),
    ("'quoted' well-known-", ["'", "quoted", "'", "well-known", "-"]),
    ("a_b c.d 3.14", ["a", "_", "b", "c", ".", "d", "3", ".", "14"]),
    ("我有 3 只 cats。", ["我", "有", "3", "只", "cats", "。"]),
    ("ミルクcoffee", ["ミ", "ル", "ク", "coffee"]),
    ("中'文", ["中", "'", "文"]),
    ("ไป", ["ไ", "ป"]),
    ("«naïve» – café…", ["«", "naïve", "»", "–", "café", "…"]),
    ("Ελλάδα, Россия", ["Ελλάδα", ",", "Россия"]),
]


@pytest.mark.parametrize(("text", "expected"), TOKENS)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected
    assert re.findall(PATTERN, text) == expected


def test_words_are_tokens_without_punctuation() -> None:
    assert words("It's 10 o'clock -- well, a.m.") == ["It's", "10", "o'clock", "well", "a", "m"]
    assert words("他说：“好！”") == ["他", "说", "好"]


@given(st.text(st.sampled_from("aé1 \n'’-_.,。中あไ“”\U00020000\x1c\u3000") | st.characters(), max_size=60))
def test_tokens_are_all_that_is_no_space(text: str) -> None:
    assert "".join(tokens(text)) == re.sub(r"\s", "", text)


@pytest.mark.parametrize(
    ("text", "spaceless"),
    [
        ("", False),
        ("。！？", False),
        ("plain words", False),
        ("naïve café", False),
        ("한국어는 띄어쓰기를 한다", False),
        ("这是中文", True),
        ("これは本です", True),
        ("ภาษาไทย", True),
        ("ພາສາລາວ", True),
        ("abcd中文字符", False),
        ("abc中文字符", True),
        ("Unicode 是一种字符编码标准方案", True),
    ],
)
def test_texts_in_scripts_without_spaces(text: str, spaceless: bool) -> None:
    assert is_spaceless(text) is spaceless


def test_folding_leaves_out_form() -> None:
    assert folded_words("The CAFÉ, No. 12-b") == ["the", "cafe", "no", "0", "b"]
    assert folded_words("中文、Text") == ["中", "文", "text"]
