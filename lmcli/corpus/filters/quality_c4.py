"""C4's rules: lines that are sentences, on pages that are prose."""

from __future__ import annotations

import re
from typing import Annotated

from annotated_types import Ge

from lmcli.config import section
from lmcli.corpus.documents import Drop
from lmcli.corpus.marks import CLOSING, ELLIPSES, SENTENCE_ENDS, count_sentences
from lmcli.corpus.spaceless import characters_per_word, ends_sentences_with_marks
from lmcli.corpus.words import is_spaceless, words

_ENDS = (".", "?", "!", '"', "'")
_POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
_OTHER_POLICY = (
    "隐私政策", "隱私政策", "使用条款", "使用條款", "服务条款", "服務條款", "cookie 政策", "cookie政策",
    "プライバシーポリシー", "利用規約", "クッキーポリシー", "นโยบายความเป็นส่วนตัว", "ข้อกำหนดการใช้งาน", "ใช้คุกกี้",
)  # fmt: skip
_CITATION = re.compile(r"\[\d*+\]|\[edit\]|\[citation needed\]")
_LONGEST_WORD = 1000


@section
class C4:
    """The rules of Raffel et al. 2020 (C4), section 2.2, without its list of bad words.

    A page that has "lorem ipsum", a curly bracket or too few sentences is dropped. Lines go that have too few words or
    mention JavaScript; so do, as in C4's published code, those on cookies and terms of use and those with a word of
    more than 1000 characters, and marks such as [1] and [edit]. The rule that a line ends with a punctuation mark is
    off: it takes headings, lists and verse. Blank lines stay between the lines that stay.

    In scripts without spaces these choices are our own: a word is two characters (four in Thai, Lao, Khmer and
    Burmese), no word is too long, policy phrases are in Chinese, Japanese and Thai too, sentences and lines end with
    "。", "！", "？" and their like as well, and in Thai and Lao, which have no full stop, a space ends a sentence.
    """

    end_punctuation: Annotated[bool, "only lines that end with a punctuation mark stay"] = False
    min_line_words: Annotated[int, "words of a line, at least", Ge(0)] = 3
    min_sentences: Annotated[int, "sentences in the lines that stay, at least", Ge(0)] = 5
    curly_brackets: Annotated[bool, "drop pages with a curly bracket, which is code"] = True
    citations: Annotated[bool, "remove marks such as [1], [edit] and [citation needed]"] = True

    def apply(self, text: str) -> str | Drop:
        if "lorem ipsum" in text.lower():
            return Drop("c4.lorem_ipsum")
        if self.curly_brackets and "{" in text:
            return Drop("c4.curly_bracket")
        lines = text.split("\n")
        kept = [self._edited(line) for line in lines]
        if sum(map(_sentences, filter(None, kept))) < self.min_sentences:
            return Drop("c4.too_few_sentences")
        return text if kept == lines else _joined(kept)

    def _edited(self, line: str) -> str | None:
        """The line without citation marks, or None where it goes. Blank lines have no reason to."""
        if not line or line.isspace():
            return line
        if self.citations and "[" in line:
            line = _CITATION.sub("", line)
        spaceless = is_spaceless(line)
        if self._count(line, spaceless) < self.min_line_words or _is_boilerplate(line.lower()):
            return None
        if not spaceless and len(line) > _LONGEST_WORD and max(map(len, line.split())) > _LONGEST_WORD:
            return None
        return line if not self.end_punctuation or _is_ended(line.rstrip(), spaceless) else None

    def _count(self, line: str, spaceless: bool) -> float:
        return len(words(line)) / characters_per_word(line) if spaceless else len(line.split())


def _is_boilerplate(lowered: str) -> bool:
    if "javascript" in lowered or any(phrase in lowered for phrase in _POLICY):
        return True
    return not lowered.isascii() and any(phrase in lowered for phrase in _OTHER_POLICY)


def _is_ended(line: str, spaceless: bool) -> bool:
    if not spaceless:
        return line.endswith(_ENDS) and not line.endswith(ELLIPSES)
    return not ends_sentences_with_marks(line) or line.rstrip(CLOSING).endswith(SENTENCE_ENDS)


def _sentences(line: str) -> int:
    if is_spaceless(line) and not ends_sentences_with_marks(line):
        return len(line.split())
    return count_sentences(line)


def _joined(kept: list[str | None]) -> str:
    """The lines that stay. Of blank lines that a removed line brings together one stays; none is first or last."""
    lines: list[str] = []
    removed = False
    for line in kept:
        if line is None:
            removed = True
        elif line.strip() or not removed or (lines and lines[-1].strip()):
            lines.append(line)
            removed = removed and not line.strip()
    return "\n".join(lines).strip("\n")
