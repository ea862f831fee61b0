from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lmcli.corpus.sentences import sentence_ends, sentences

from .filters.scaling import UNITS, growth


@pytest.mark.parametrize(
    "marked",
    [
        "",
        "x",
        "One. |Two! |Three? |Four",
        "\n\n One. |Two",
        "Mr. Smith met Dr. J. R. Jones at St. Mary's. |He left.",
        "E.g. This, i.e. That, cf. Them vs. Us. |Next.",
        "In the U.S. Government it is so. |It was made in the U.S. |The rest came later.",
        "It cost 3.14 dollars. |5 people paid $1,000.50. |Version 1.2.3 is out.",
        "See Fig. 3, No. 5 and p. 7. |He said no. |Then he left.",
        "Apples, pears, etc. |They ripen in Oct. 2020. |It was I. |He left.",
        "Plan B. |The end. |John F. Kennedy spoke.",
        '"Really?" he asked. |"Yes." |She nodded. |(It was so.) |"And?" |“Good.” |Next',
        "Wait... what? |Well... |No. |Stop!!! |Why?! |Oh… |And then… it went on.",
        "Yahoo! is a name. |Mail a.b@c.org or see x.y.z now.",
        "A line that is\nwrapped goes on. |The next\none too.",
        "A title\n\n|A paragraph.\n\n|Another\n \n|one",
        "List:\n|- one\n|- Two. |Three\n|1. First. |Then\n|2) second\n|# Heading",
        "1. First of all.\n|2. Second.",
        "Das kostet z.B. Geld. |Prof. Müller, geb. 1950, sagt: |",
        "Elle dit : « Bonjour. » |Il part. |M. Dupont reste.",
        "¿Qué? |¡Hola! |El Sr. López vive en el no. 5.",
        "**Bold.** |*Next.* |`code.` |End",
        "他说：“你好！”|然后走了。|真的吗？！|好……|完",
        "「そうですか。」|彼は笑った。|",
        "标题\n|第一段没有句号\n|第二段",
        "今天很好!|明天呢?|好.|我们走,版本是2.0。|",
        "他用 Python 3.11. 很好",
        "สวัสดี |ครับ |ผมชื่อ A 5 คน",
        "यह है। |वह है।|",
        "ما هذا؟ |هذا كتاب.",
        "Это так. |А это нет. |и т. д.",
    ],
)
def test_where_sentences_end(marked: str) -> None:
    pieces = [piece for piece in marked.split("|") if piece]
    assert sentences(marked.replace("|", "")) == pieces


def test_ends_are_places_in_the_text() -> None:
    assert sentence_ends("") == []
    assert sentence_ends(" \n ") == [3]
    assert sentence_ends("One. Two.") == [5, 9]
    assert sentence_ends("\n One. Two.\n") == [7, 12]


SIGNS = st.sampled_from([*'ab A.1!?…。"” \n)」-', "Mr", "e.g", "我", "ก", "» "])


@given(st.lists(SIGNS, max_size=40).map("".join) | st.text(st.characters(exclude_categories=())))
@example(" ก")
def test_joined_they_are_the_text(text: str) -> None:
    pieces = sentences(text)
    assert "".join(pieces) == text
    assert all(pieces)
    assert sentence_ends(text) == sorted(set(sentence_ends(text)))
    if text.strip():
        assert pieces[0].strip()


@pytest.mark.parametrize("unit", [*UNITS, ".", ". ", "A. ", "。", "…\n", "我\n", "ก ", '."', "\n", "Mr. ", '!("'])
def test_time_is_linear(unit: str) -> None:
    assert growth(sentence_ends, unit) < 2.6
