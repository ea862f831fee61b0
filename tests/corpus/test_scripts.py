from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcli.corpus.scripts import SAMPLE, script

from .filters.scaling import growth


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Latin", "hello"),
        ("Latin", "Đặng Łódź naïve"),
        ("Greek", "Καλημέρα κόσμε"),
        ("Cyrillic", "Привет, world"),
        ("Armenian", "Բարեւ"),
        ("Hebrew", "שלום עולם"),
        ("Arabic", "مرحبا بالعالم"),
        ("Devanagari", "नमस्ते दुनिया"),
        ("Bengali", "নমস্কার"),
        ("Tamil", "வணக்கம்"),
        ("Telugu", "నమస్కారం"),
        ("Thai", "สวัสดีชาวโลก"),
        ("Lao", "ສະບາຍດີ"),
        ("Burmese", "မင်္ဂလာပါ"),
        ("Georgian", "გამარჯობა"),
        ("Ethiopic", "ሰላም"),
        ("Khmer", "សួស្តី"),
        ("Han", "今天天气很好，OK"),
        ("Kana", "今日は天気がいい"),
        ("Kana", "カタカナ"),
        ("Hangul", "안녕하세요 세계"),
        ("Other", ""),
        ("Other", "123 !? 😀 — \n"),
        ("Other", "123"),
    ],
)
def test_the_main_script(name: str, text: str) -> None:
    assert script(text) == name


def test_a_few_foreign_letters_change_nothing() -> None:
    assert script("The letter я and the sign 中 stand in English text.") == "Latin"
    assert script("中" * 100 + "の") == "Han"
    assert script("中" * 9 + "の") == "Kana"


def test_long_texts_are_judged_by_their_start_and_middle() -> None:
    half = SAMPLE // 2
    assert script("я" * half + "a" * (half - 1)) == "Cyrillic"
    assert script("a" * half + "я" * (9 * half)) in ("Latin", "Cyrillic")
    assert script("a" * (half - 1) + "я" * (9 * half)) == "Cyrillic"


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_has_one(text: str) -> None:
    assert script(text).isalpha()
    assert script(text) == script(text + " ")


@pytest.mark.parametrize("unit", ["a", "я", " ", "中の"])
def test_a_long_text_costs_no_more(unit: str) -> None:
    assert growth(script, unit) < 1.5
