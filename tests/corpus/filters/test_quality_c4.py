from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.corpus.documents import Drop
from lmcli.corpus.filters.quality_c4 import C4
from tests.corpus.filters.prose import ENGLISH, PROSE

LINES = C4(min_sentences=0)
ENDED = C4(min_sentences=0, end_punctuation=True)


def reason(text: str, rules: C4 = C4()) -> str:  # noqa: B008
    result = rules.apply(text)
    return result.reason if isinstance(result, Drop) else ""


@pytest.mark.parametrize("text", PROSE.values(), ids=PROSE.keys())
def test_prose_stays_as_it_is(text: str) -> None:
    assert C4().apply(text) == text
    assert C4(end_punctuation=True).apply(text) == text


@pytest.mark.parametrize("text", PROSE.values(), ids=PROSE.keys())
def test_lorem_ipsum_and_curly_brackets(text: str) -> None:
    assert reason(text + "Lorem Ipsum dolor sit amet.") == "c4.lorem_ipsum"
    assert reason(text + "if (x) {") == "c4.curly_bracket"
    assert reason(text + "if (x) {", C4(curly_brackets=False)) == ""


@pytest.mark.parametrize(
    ("sentence", "sentences"),
    [
        ("This is one sentence. ", 4),
        ("This is one sentence.\n", 4),
        ("这是一个完整的句子。", 4),
        ("これは一つの文です。\n", 4),
        ("นี่คือประโยคหนึ่ง ", 4),
    ],
)
def test_numbers_of_sentences(sentence: str, sentences: int) -> None:
    assert reason(sentence * sentences) == "c4.too_few_sentences"
    assert reason(sentence * (sentences + 1)) == ""


def test_only_sentences_of_lines_that_stay_count() -> None:
    assert reason("One sentence here.\n" * 4 + "Our cookie policy. Read it. Now.\n") == "c4.too_few_sentences"


@pytest.mark.parametrize(
    ("line", "stays"),
    [
        ("two words", False),
        ("three words here", True),
        ("  three   words here", True),
        ("-- + --", True),
        ("你好世界人", False),
        ("你好世界人们", True),
        ("สวัสดีครับ", False),
        ("สวัสดีครับทุกคน", True),
        ("Please enable JavaScript to go on.", False),
        ("By going on you accept our Terms of Use today.", False),
        ("This site uses cookies for everything.", False),
        ("继续浏览即表示您同意我们的隐私政策和使用条款。", False),
        ("ご利用の前に利用規約を必ずお読みください。", False),
        ("กรุณาอ่านนโยบายความเป็นส่วนตัวของเรา", False),
        ("a long " + "x" * 1000, True),
        ("a long " + "x" * 1001, False),
        ("中" * 2000, True),
    ],
)
def test_lines_that_go(line: str, stays: bool) -> None:
    text = f"first line of text\n{line}\nlast line of text"
    assert LINES.apply(text) == (text if stays else "first line of text\nlast line of text")


@pytest.mark.parametrize(
    ("line", "stays"),
    [
        ("This line has an end.", True),
        ("Has it an end? ", True),
        ("It has an end!", True),
        ('He said "it has an end"', True),
        ("This line has no end", False),
        ("This line has an ellipsis...", False),
        ("This line has an ellipsis…", False),
        ("这一行有一个句号。", True),
        ("他说：“这一行有一个句号。”", True),
        ("这一行没有一个句号", False),
        ("この行には終わりがある。」", True),
        ("この行には終わりがない", False),
        ("ภาษาไทยไม่มีเครื่องหมายจบประโยค", True),
    ],
)
def test_the_ends_of_lines(line: str, stays: bool) -> None:
    assert LINES.apply(line) == line
    assert ENDED.apply(line) == (line if stays else "")


def test_citation_marks() -> None:
    text = "The ferry[1] leaves[citation needed] at dawn.[23]\nHistory of the island[edit]\n[12] a [b] list[]"
    expected = "The ferry leaves at dawn.\nHistory of the island\n a [b] list"
    assert C4(min_sentences=0, min_line_words=0).apply(text) == expected
    assert C4(min_sentences=0, min_line_words=0, citations=False).apply(text) == text


def test_blank_lines_between_lines_that_stay() -> None:
    text = "first line of text\n\n\nstill the first part\n\nmenu\n\nsecond part of text\nmenu\nthe end of it\n\nmenu\n"
    expected = "first line of text\n\n\nstill the first part\n\nsecond part of text\nthe end of it"
    assert LINES.apply(text) == expected
    assert LINES.apply("menu\n\n" + text) == expected


@pytest.mark.parametrize("text", ["", "a", "中", "\n", " \n \n"])
def test_small_texts(text: str) -> None:
    assert reason(text) == "c4.too_few_sentences"
    assert reason(text, LINES) == ""


def test_a_huge_text() -> None:
    assert C4().apply(ENGLISH * 3000) == ENGLISH * 3000


LINE = st.sampled_from(
    ["", " ", "menu", "three words here", "It is an end.", "uses cookies so", "我们今天去海边。", "a [1]"]
)


@given(st.lists(LINE, max_size=12).map("\n".join) | st.text(max_size=200))
@settings(max_examples=150, deadline=None)
def test_any_text_has_one_verdict_and_twice_is_once(text: str) -> None:
    for rules in (C4(), LINES, ENDED, C4(min_sentences=0, citations=False)):
        once = rules.apply(text)
        assert rules.apply(str(text)) == once
        if isinstance(once, str):
            assert reason(once, rules) == ""
            assert len(once) <= len(text)
