from __future__ import annotations

import time

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lmcli.corpus.sentences import sentence_ends, sentences

# A | stands where a sentence ends.
LATIN = [
    "The cat sat. |The dog ran! |Did it? |Yes...",
    "Mr. Smith met Dr. Jones at 3.14 p.m. on Mt. Fuji. |Then they left.",
    "He moved to the U.S. in May. |The U.S. Army stayed in the U.S. |It left later.",
    "See e.g. Figure 2, i.e. Fig. 3 and No. 7. |No. |I won't.",
    "J. R. R. Tolkien and J.K. Rowling wrote it. |George W. Bush didn't.",
    "She works at Acme Inc. Bob owns it, etc. and so on. |We know, etc. |The end.",
    'She said "Stop." |Then (she ran.) |"Why?" he asked. |“Because.” |‘So.’ |Fine.',
    "Wait... what? |Wait... |What?! |Oh!!! |Yes.",
    "Version 2.0.1 of example.com costs $3.50. |Buy 2. |Go.",
    "1. Wash the dish. |2. Dry it.",
    "## 1. Wash the dish. |Dry it.",
    "Am 3. Oktober kam z.B. Herr Dr. Weiß. |Er blieb bis 1999. |Dann ging er usw. |Das war es.",
    "M. Dupont, Mme. Durand et M. Petit sont là. |Ils parlent.",
    "¿Qué tal? |¡Bien! |El Sr. García y la Sra. Pérez llegaron.",
    "Hi! |how are you? |fine, thanks. |And you",
    "all in lower case. |and no capitals. |not one.",
    "It cost 5. . . . |Then it rained. |End.",
    "Vitamin C. |The best. |Plan B. Miller made it.",
    "Elle dit : « Bonjour. » |Il part. |Prof. Weiß, geb. 1950.",
    "**Bold.** |*Next.* |`code.` |End",
    "Дом стоит. |Кошка спит! |Ура.",
    "He saw 2001: A Space Odyssey (1968). |He liked it.",
]
SPACELESS = [
    "你好。|今天天气很好！|是吗？|是的。",
    "他说：“你好。”|然后走了。|“真的吗？！”|她问。",
    "我不知道……|也许吧。",
    "好吧…我去。|（他走了。）|我们也走。",
    "彼は「行く。」と言った。|「そうか…」|彼女は黙った。",
    "本当ですか!|はい。 |次です?|ええ",
    "价格是3.5元。|网站是example.com。|OK. |下一句。",
    "今天很好!|好.|我们走,版本是2.0。|第1.2节",
    "यह एक घर है। |वह सो रहा है।",
    "هل أنت بخير؟ |نعم.",
]
LINES = [
    "One line\n|another line\n\n|a paragraph.\n|Dr.\n|Who",
    "  \n first. \r\n |second\u2028|third",
    "a\n  |b  \n\t\n|c",
]


@pytest.mark.parametrize("marked", [*LATIN, *SPACELESS, *LINES])
def test_where_sentences_end(marked: str) -> None:
    assert sentences(marked.replace("|", "")) == marked.split("|")


@pytest.mark.parametrize(("text", "ends"), [("", []), ("a", [1]), (".", [1]), (" \n ", [3]), ("is. B. ", [4, 7])])
def test_offsets(text: str, ends: list[int]) -> None:
    assert sentence_ends(text) == ends


def test_offsets_are_of_characters() -> None:
    assert sentence_ends("𠀀。𠀁！") == [2, 4]


SIGNS = st.sampled_from([*'aAMr19. !?…。！」と"”)( \n\r\u2028\u3000\x1c我', "Mr.", "U.S. ", "e.g. ", "The "])
TEXTS = st.lists(SIGNS).map("".join) | st.text(st.characters(exclude_categories=()))


@given(TEXTS)
@example("İ. A")
@settings(deadline=None, max_examples=300)
def test_joined_they_are_the_text(text: str) -> None:
    found = sentences(text)
    assert "".join(found) == text
    assert all(found)
    assert all(len(sentence.strip().splitlines()) == 1 for sentence in found) or not text.strip()
    ends = sentence_ends(text)
    assert ends == sorted(set(ends))
    assert not text or ends[-1] == len(text)


@pytest.mark.parametrize(
    "unit", ["a", ".", "。", " \n", " ", "(", ". ", "a. ", "A. ", '."', "“", "…", "1. ", "。と", "」"]
)
def test_time_is_linear(unit: str) -> None:
    def seconds(count: int) -> float:
        text = unit * (count // len(unit))
        start = time.process_time()
        sentences(text)
        return time.process_time() - start

    assert min(seconds(100_000) for _ in range(3)) < 2.6 * min(seconds(50_000) for _ in range(3)) + 0.05
