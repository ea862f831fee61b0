"""Addresses of web pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from annotated_types import Ge, Le

from lmcli.config import section
from lmcli.corpus.documents import Drop
from lmcli.corpus.words import SPACELESS

# The first character is a set, so that the search for it is fast. An address ends before anything that no browser
# would show in one, and before the next letter of a script without spaces: 见https://a.org/b。
_INSIDE = rf"[^\s<>\"'`{{}}|\\^\[\]{SPACELESS}\u2018-\u201f\u2026\u3000-\u303f\uff00-\uffef]"
_START = (
    r"[hHfFwW](?:(?<=[hH])[tT]{2}[pP][sS]?+://|(?<=[fF])[tT][pP][sS]?+://|(?<=[wW])(?<![0-9A-Za-z_.@/-].)[wW]{2}\.)"
    rf"(?=\w)(?={_INSIDE})"
)
_URL = re.compile(f"{_START}{_INSIDE}++")
_SENTENCE_END = ".,;:!?*"
_PARTS = re.compile(rf"[()]|{_START}")


@section
class Urls:
    """Masks or removes web addresses, or drops documents that are mostly addresses.

    An address begins with http://, https://, ftp:// or www.; the punctuation behind it is no part of it.
    """

    mode: Annotated[
        Literal["mask", "remove", "drop"],
        "mask puts the placeholder, remove nothing; drop leaves addresses alone and drops texts with too many",
    ] = "mask"
    placeholder: Annotated[str, "what stands for an address in mode mask"] = "<url>"
    max_share: Annotated[float, "share of a text's characters that may be addresses in mode drop", Ge(0), Le(1)] = 0.2

    def apply(self, text: str) -> str | Drop:
        if "://" not in text and "www." not in text.lower():
            return text
        found = list(_urls(text))
        if self.mode == "drop":
            characters = sum(end - start for start, end in found)
            return Drop("urls.too_many") if characters > self.max_share * len(text) else text
        return self._without(text, found) if found else text

    def _without(self, text: str, found: list[tuple[int, int]]) -> str:
        kept: list[str] = []
        place = 0
        for start, end in found:
            kept += text[place:start], self.placeholder if self.mode == "mask" else ""
            # Of the two blanks around an address that goes, one stays.
            alone = start == 0 or text[start - 1].isspace()
            place = end + 1 if self.mode == "remove" and alone and text[end : end + 1] == " " else end
        kept.append(text[place:])
        return "".join(kept)


def _urls(text: str) -> Iterator[tuple[int, int]]:
    """Start and end of each address."""
    for match in _URL.finditer(text):
        first, url = match.start(), match[0]
        for start, end in _balanced(url) if ")" in url else [(0, len(url))]:
            yield first + start, first + start + len(url[start:end].rstrip(_SENTENCE_END))


def _balanced(url: str) -> Iterator[tuple[int, int]]:
    """The address up to a bracket that was opened before it: the last one of (https://en.org/Rust_(film)).

    Behind this bracket another address may begin.
    """
    start, depth = 0, 0
    for part in _PARTS.finditer(url):
        if depth < 0:
            if part[0] not in "()":
                start, depth = part.start(), 0
        elif part[0] in "()":
            depth += 1 if part[0] == "(" else -1
            if depth < 0:
                yield start, part.start()
    if depth >= 0:
        yield start, len(url)
