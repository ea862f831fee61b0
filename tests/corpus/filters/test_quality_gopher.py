from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.config import decode
from lmcli.corpus.documents import Drop
from lmcli.corpus.filters.quality_gopher import Gopher
from tests.corpus.filters.prose import CHINESE, ENGLISH, JAPANESE, PROSE, THAI

LAX = Gopher(min_words=0, min_characters=0, min_word_length=0, min_alphabetic=0, min_stop_words=0)


def reason(text: str, rules: Gopher = Gopher()) -> str:  # noqa: B008
    result = rules.apply(text)
    if isinstance(result, Drop):
        return result.reason
    assert result == text
    return ""


@pytest.mark.parametrize("text", PROSE.values(), ids=PROSE.keys())
def test_prose_passes(text: str) -> None:
    assert reason(text) == ""


def test_numbers_of_words_without_punctuation() -> None:
    words = "the and then " * 20
    assert reason("the and then " * 16 + "so") == "quality.too_short"
    assert reason("the and then " * 16 + "so . , !") == "quality.too_short"
    assert reason("the and then " * 16 + "so far") == ""
    assert reason(words, Gopher(max_words=60)) == ""
    assert reason(words, Gopher(max_words=59)) == "quality.too_long"


@pytest.mark.parametrize("text", [CHINESE, JAPANESE, THAI])
def test_numbers_of_characters_in_scripts_without_spaces(text: str) -> None:
    characters = sum(character.isalnum() or "\u0e31" <= character <= "\u0e4e" for character in text)
    assert reason(text, Gopher(min_words=10**6, min_characters=characters)) == ""
    assert reason(text, Gopher(min_characters=characters + 1)) == "quality.too_short"
    assert reason(text, Gopher(max_words=1, max_characters=characters)) == ""
    assert reason(text, Gopher(max_characters=characters - 1)) == "quality.too_long"
    assert reason(text[:90]) == "quality.too_short"


def test_the_mean_length_of_words() -> None:
    assert reason("and the " * 30) == ""
    assert reason("and the " * 30 + "a") == "quality.word_length"
    assert reason("and the 中 " * 30) == ""  # characters of scripts without spaces have no length
    assert reason("abcdefghij " * 60 + "the of", Gopher(max_word_length=9.9)) == ""
    assert reason("abcdefghij " * 60, Gopher(min_stop_words=0)) == ""
    assert reason("abcdefghij " * 60 + "abcdefghijk") == "quality.word_length"


@pytest.mark.parametrize("sign", ["#", "...", "…"])
def test_symbols_for_each_word(sign: str) -> None:
    marks = {"#": 1, "...": 3, "…": 1}[sign]
    words = "with " * (100 - 10 * marks)  # of 100 tokens, 10 for the signs
    assert reason(words + f"{sign} word " * 10, LAX) == ""
    assert reason(words + f"{sign} " * 11, LAX) == "quality.symbols"


def test_symbols_in_chinese_where_two_characters_are_a_word() -> None:
    text = "我们今天去海边走走看看" * 18 + "……"  # 200 tokens: 198 characters and 2 signs
    assert reason(text + "…… 好" * 9 + "好", LAX) == ""  # 10 ellipses, 228 tokens, 114 words
    assert reason(text + "…… 好" * 11 + "好", LAX) == "quality.symbols"  # 12 and 117
    assert reason(text + "。。。好" * 20 + "好", LAX) == "quality.symbols"
    assert reason(text + "#" * 11, LAX) == "quality.symbols"
    assert reason(text + "#" * 10, LAX) == ""


@pytest.mark.parametrize("bullet", ["•", "-"])
def test_lines_that_start_with_a_bullet(bullet: str) -> None:
    items = f"  {bullet} something to do\n"
    assert reason(items * 9 + "a line\n", LAX) == ""
    assert reason(items * 10 + "a line\n", LAX) == "quality.bullets"


def test_bullets_of_chinese_and_japanese() -> None:
    assert reason("・牛乳を買いに行く\n" * 10, LAX) == "quality.bullets"
    assert reason("●去商店买牛奶\n" * 10, LAX) == "quality.bullets"
    assert reason("● buy some milk\n" * 10, LAX) == ""


@pytest.mark.parametrize("end", ["...", "…"])
def test_lines_that_end_with_an_ellipsis(end: str) -> None:
    line = "this is a line of many words so that signs are few and far between, which is what matters here and now"
    assert reason(f"{line}\n" * 7 + f"{line}{end} \n" * 3, LAX) == ""
    assert reason(f"{line}\n" * 6 + f"{line}{end}\n" * 3, LAX) == "quality.ellipsis"


def test_ellipses_of_chinese_and_japanese() -> None:
    line = "今日は朝から雨が降っていたので、どこにも行かずに家で本を読んで、それからお茶を飲んでいました"
    assert reason(f"{line}・・・\n{line}。\n", LAX) == "quality.ellipsis"
    assert reason(f"{line}。。。\n{line}。\n", LAX) == "quality.ellipsis"
    assert reason(f"{line}……\n{line}。\n", LAX) == "quality.ellipsis"


def test_words_with_a_letter() -> None:
    assert reason("with that " * 40 + "10 " * 20) == ""
    assert reason("with that " * 40 + "10 " * 21) == "quality.alphabetic"
    assert reason("with that " * 40 + ", " * 21) == "quality.alphabetic"


def test_vowel_signs_of_thai_are_letters_and_its_digits_are_not() -> None:
    assert reason("ที่" * 40 + "และ" * 40, Gopher(min_alphabetic=1)) == ""
    assert reason("ที่และ" * 20 + "๑๒๓๔๕๖๗๘๙๐" * 4) == "quality.alphabetic"
    assert reason("我们的是" * 20 + "9 " * 20, Gopher(min_characters=0)) == ""
    assert reason("我们的是" * 20 + "9 " * 21, Gopher(min_characters=0)) == "quality.alphabetic"


def test_different_stop_words_with_case() -> None:
    assert reason("word " * 60 + "the have") == ""
    assert reason("word " * 60 + "the the") == "quality.stop_words"
    assert reason("word " * 60 + "The Have") == "quality.stop_words"
    assert reason("word " * 60 + "thereof haven", Gopher()) == "quality.stop_words"
    assert reason("Wort " * 60 + "der die", Gopher(stop_words=("der", "die", "das"))) == ""
    assert reason("word " * 60, Gopher(min_stop_words=0)) == ""


@pytest.mark.parametrize(
    ("fill", "two"),
    [
        ("海洋山川河流", "的是"),
        ("東京大阪カメラテレビ", "のは"),
        ("แมวหมากา", "ที่และ"),
        ("ໝາແມວ", "ທີ່ແລະ"),
        ("ឆ្មាឆ្កែ", "និងនៅ"),
        ("ကြောင်ခွေး", "သည်ကို"),
    ],
)
def test_function_words_of_scripts_without_spaces(fill: str, two: str) -> None:
    assert reason(fill * 40) == "quality.stop_words"
    assert reason(fill * 40 + two) == ""


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", "quality.too_short"), ("a", "quality.too_short"), ("中", "quality.too_short"), (" \n", "quality.too_short")],
)
def test_small_texts(text: str, expected: str) -> None:
    assert reason(text) == expected
    assert reason(text, LAX) == ""


def test_a_huge_text_is_too_long() -> None:
    assert reason(ENGLISH * 1000) == "quality.too_long"
    assert reason(CHINESE * 2000) == "quality.too_long"
    assert reason(ENGLISH * 1000, Gopher(max_words=10**9)) == ""


def test_settings_from_a_table() -> None:
    rules = decode(Gopher, {"min_words": 3, "stop_words": ["und", "der"]})
    assert reason("Hund und Katze und der Igel", rules) == ""
    assert reason("Hund und", rules) == "quality.too_short"


@given(st.text(st.sampled_from("ab1 \n-•….#的。ไ"), max_size=200) | st.text(max_size=200))
@settings(max_examples=100)
def test_any_text_has_one_verdict(text: str) -> None:
    for rules in (Gopher(), LAX, Gopher(min_words=1, min_characters=1)):
        assert reason(text, rules) == reason(str(text), rules)
