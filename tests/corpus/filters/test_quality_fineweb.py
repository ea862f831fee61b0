from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.config import decode
from lmcli.corpus.documents import Drop
from lmcli.corpus.filters.quality_fineweb import FineWeb
from tests.corpus.filters.prose import CHINESE, ENGLISH, PROSE, THAI

OFF: dict[str, float] = {"min_ended": 0, "max_short": 1, "max_repeated": 1, "max_newlines": 10**6}


def only(**limits: float) -> FineWeb:
    return decode(FineWeb, {**OFF, **limits})


def reason(text: str, rules: FineWeb = FineWeb()) -> str:  # noqa: B008
    result = rules.apply(text)
    if isinstance(result, Drop):
        return result.reason
    assert result == text
    return ""


@pytest.mark.parametrize("text", PROSE.values(), ids=PROSE.keys())
def test_prose_passes(text: str) -> None:
    assert reason(text) == ""


@pytest.mark.parametrize("text", ["", "\n", " \n\t\n\u3000"])
def test_texts_without_a_line(text: str) -> None:
    assert reason(text) == "fineweb.empty"


@pytest.mark.parametrize("end", [".", "!", "?", "۔", "।", "。"])
def test_lines_that_end_a_sentence(end: str) -> None:
    ended = [f"an ended line {number}{end}" for number in range(3)]
    others = [f"a line without end {number}" for number in range(22)]
    assert reason("\n\n".join(ended + others), only(min_ended=0.12)) == ""
    assert reason("\n".join([*ended, *others, "one more"]), only(min_ended=0.12)) == "fineweb.line_punctuation"
    assert reason("\n".join(line + '"' for line in ended), only(min_ended=0.12)) == "fineweb.line_punctuation"


def test_ends_of_lines_in_scripts_without_spaces() -> None:
    assert reason("「はい、行きます。」\n他说：“我也去。”\n", only(min_ended=1)) == ""
    assert reason("今天天气很好\n我们去海边\n", only(min_ended=0.12)) == "fineweb.line_punctuation"
    assert reason(THAI, only(min_ended=1)) == ""
    assert reason("ខ្ញុំទៅផ្សារ។\n", only(min_ended=1)) == ""
    assert reason("ខ្ញុំទៅផ្សារ\n", only(min_ended=1)) == "fineweb.line_punctuation"


def test_short_lines() -> None:
    short = "\n".join("x" * 30 for _ in range(67))
    long = "\n".join("x" * 31 for _ in range(33))
    assert reason(f"{short}\n{long}", only(max_short=0.67)) == ""
    assert reason(f"{short}\nx\n{long}", only(max_short=0.67)) == "fineweb.short_lines"


@pytest.mark.parametrize(("letter", "longest"), [("中", 10), ("あ", 10), ("ก", 30)])
def test_short_lines_in_scripts_without_spaces(letter: str, longest: int) -> None:
    assert reason(letter * longest, only(max_short=0.67)) == "fineweb.short_lines"
    assert reason(letter * (longest + 1), only(max_short=0.67)) == ""


def test_characters_in_repeated_lines() -> None:
    lines = [f"{number:049d}" for number in range(19)]
    text = "\n".join([*lines, "x" * 25, "y" * 24, "0" * 10, "0" * 10])  # 1000 characters, 10 of them repeated
    assert len(text.replace("\n", "")) == 1000
    assert reason(text, only(max_repeated=0.01)) == ""
    assert reason(text[1:], only(max_repeated=0.01)) == "fineweb.repeated_lines"


def test_newlines_for_each_word() -> None:
    assert reason("one two three, five six seven\n\n\neight nine ten", only(max_newlines=0.3)) == ""
    assert reason("one two three four five six\n\n\nseven eight nine", only(max_newlines=0.3)) == "fineweb.newlines"


def test_newlines_in_scripts_without_spaces() -> None:
    assert reason("今天天气很好我们去海边走走看看好吗\n\n\n吃饭吧", only(max_newlines=0.3)) == ""
    assert reason("今天天气很好我们去海边走走看看好\n\n\n吃饭吧", only(max_newlines=0.3)) == "fineweb.newlines"
    assert reason("ก" * 40 + "\n\n\n", only(max_newlines=0.3)) == ""
    assert reason("ก" * 39 + "\n\n\n", only(max_newlines=0.3)) == "fineweb.newlines"


def test_one_character_and_huge_texts() -> None:
    assert reason("a") == "fineweb.line_punctuation"
    assert reason("。") == "fineweb.short_lines"
    assert reason(ENGLISH * 1000) == "fineweb.repeated_lines"
    assert reason(CHINESE * 1000, only()) == ""


@given(st.text(st.sampled_from("ab \n.。中ไ”\u3000"), max_size=200) | st.text(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_text_has_one_verdict(text: str) -> None:
    assert reason(text) == reason(str(text))
