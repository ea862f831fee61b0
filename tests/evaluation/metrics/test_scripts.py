from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.evaluation.metrics.scripts import words, writing


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "latin"),
        ("12 34", "latin"),
        ("The cat sat.", "latin"),
        ("Привет, мир", "spaced"),
        ("안녕하세요 세계", "spaced"),
        ("今天天气很好", "chinese"),
        ("我用Python写代码", "chinese"),
        ("In Beijing (北京) it rained all day", "latin"),
        ("きのうは暑かった", "unspaced"),
        ("สวัสดีชาวโลก", "unspaced"),
    ],
)
def test_writing_of_most_units(text: str, expected: str) -> None:
    assert writing([text]) == expected


def test_a_few_chinese_rows_do_not_decide_for_many_english_ones() -> None:
    assert writing(["good morning to you all"] * 9 + ["你好"]) == "latin"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The CAT, sat.", ["the", "cat", "sat"]),
        ("3.5 km/h", ["3", "5", "km", "h"]),
        ("我有iPhone。", ["我", "有", "iphone"]),
        ("हिन्दी भाषा", ["हिन्दी", "भाषा"]),
        ("  \n", []),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@given(st.text())
@settings(deadline=None, max_examples=50)
def test_words_lose_only_what_is_no_letter_mark_or_digit(text: str) -> None:
    assert "".join(words(text)) == "".join(words("".join(words(text))))
    assert all(word and not word.isspace() for word in words(text))
