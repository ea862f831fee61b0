"""Decoration that says nothing, and characters that nobody can see."""

from __future__ import annotations

import functools
import re
from typing import Annotated

from annotated_types import Ge

from lmcli.config import section

_DECORATION = r"=\-*~_+#|•·∙●○■□◆◇▪▫…—–＝－＊～＿＋＃｜"
_WHOLE_LINES_ONLY = set("_＿#＃")  # within a line, ____ is to be filled in and #### may begin a heading
_BOXES = re.compile("[\u2500-\u259f]++")
_PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U000ffffd\U00100000-\U0010fffd]++")

# Scripts in which the joiners and the direction marks change what is read, and those written with zero-width spaces.
_JOINING = "\u0600-\u08ff\u0900-\u0dff\u1000-\u109f\u1780-\u180d\u180f-\u18af\ufb50-\ufdff\ufe70-\ufefc"
_RIGHT_TO_LEFT = re.compile("[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_UNSPACED = "\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff"
_PICTURE = (
    "\u00a9\u00ae\u203c\u2049\u20e3\u2122\u2190-\u21ff\u2300-\u23ff\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff"
)

_MARKS_OF_DIRECTION = "\u061c\u200e\u200f\u202a-\u202c\u2066-\u2069"
_NEVER_NEEDED = "\u00ad\u202d\u202e\u2060-\u2065\u206a-\u206f\ufeff\ufff9-\ufffb"
# What is kept stands in a group: one joiner of several, where a script needs it.
_HIDDEN = re.compile(
    f"[{_NEVER_NEEDED}]++"
    f"|(?<=[{_UNSPACED}])(\u200b)\u200b*+(?=[{_UNSPACED}])"
    f"|(?<=[{_JOINING}])(\u200c)\u200c*+(?=[{_JOINING}])"
    f"|(?<=[{_JOINING}])(\u200d)\u200d*+"
    f"|(?<=[{_PICTURE}\ufe0f])(\u200d)\u200d*+(?=[{_PICTURE}])"
    "|(?<=[\u1820-\u18af])(\u180e)\u180e*+(?=[\u1820-\u18af])"
    # Tags write the flags of Scotland and Wales behind a black flag, and hidden messages anywhere else.
    "|(\U0001f3f4[\U000e0020-\U000e007e]{1,8}+\U000e007f)"
    "|[\u180e\u200b-\u200d\U000e0000-\U000e007f]++"
)
_DIRECTION = re.compile(f"[{_MARKS_OF_DIRECTION}]++")
_SUSPECT = re.compile(f"[{_NEVER_NEEDED}\u180e\u200b-\u200d\U000e0000-\U000e007f]")

_EMOJI = "[\u2600-\u2604\u2607-\u27bf\U0001f000-\U0001f3fa\U0001f400-\U0001faff]"
_MODIFIED = rf"{_EMOJI}[\ufe0f\U0001f3fb-\U0001f3ff]?+"
_SAME_EMOJI = re.compile(
    rf"({_MODIFIED}(?:\u200d{_MODIFIED}){{0,8}}+)(?: ?+\1(?![\u200d\ufe0f\U0001f3fb-\U0001f3ff]))++"
)
# All that is dealt with, other than decoration: most texts have nothing of it, and are looked through once.
_UNUSUAL = re.compile(
    f"[{_MARKS_OF_DIRECTION}{_NEVER_NEEDED}\u180e\u200b-\u200d\u2500-\u259f\u2600-\u27bf\ue000-\uf8ff"
    "\U0001f000-\U0010ffff]"
)
_BLANKS = re.compile(r"[ \t]*+")


@section
class Symbols:
    """Removes runs of decoration (=====, -----, ••••), drawn boxes, invisible and private characters.

    A line that is nothing but decoration goes as a whole. Joiners stay where Arabic, Indic and other scripts or emoji
    need them, zero-width spaces between the words of Thai, Khmer, Lao, Tibetan and Burmese, and direction marks in
    texts with Hebrew or Arabic letters. Stars stay, for ★★★★☆ is a rating.
    """

    decoration: Annotated[
        int, "runs of at least so many characters such as = - * ~ • are removed; 0 keeps all", Ge(0)
    ] = 4
    emoji: Annotated[int, "the same emoji stays so often in a row; 0 keeps all", Ge(0)] = 3
    boxes: Annotated[bool, "remove box drawing and block characters, │ ├ ─ █"] = True
    invisible: Annotated[bool, "remove zero-width and format characters where no script needs them"] = True
    private: Annotated[bool, "remove private use characters, which only one font could show"] = True

    def apply(self, text: str) -> str:
        unusual = not text.isascii() and _UNUSUAL.search(text)
        if unusual:
            text = self._seen(text)
            if self.boxes:
                text = _without(_BOXES, text)
        if self.decoration:
            text = _without(_runs(self.decoration), text)
        # Last, for what stood on both sides of decoration may now be one run.
        if self.emoji and unusual:
            text = _SAME_EMOJI.sub(self._fewer, text)
        return text

    def _seen(self, text: str) -> str:
        if self.invisible:
            if _SUSPECT.search(text):
                text = _HIDDEN.sub(lambda match: match[match.lastindex or 0] if match.lastindex else "", text)
            if _DIRECTION.search(text) and not _RIGHT_TO_LEFT.search(text):
                text = _DIRECTION.sub("", text)
        return _PRIVATE.sub("", text) if self.private else text

    def _fewer(self, match: re.Match[str]) -> str:
        # What stands between the emoji: "", then "" or a space for each of them but the last, then "".
        between = match[0].split(match[1])
        return match[0] if len(between) - 1 <= self.emoji else match[1].join(between[: self.emoji]) + match[1]


@functools.cache
def _runs(length: int) -> re.Pattern[str]:
    return re.compile(f"[{_DECORATION}]{{{length},}}+")


def _without(pattern: re.Pattern[str], text: str) -> str:
    """The text without what is matched and the blanks around it; a space stands for it between two words.

    A line of which nothing is left goes too, with its newline.
    """
    kept: list[str] = []
    place = seen = 0  # up to where the text is dealt with, and looked at
    for match in pattern.finditer(text):
        start, end = match.span()
        if start < place:
            continue
        first = max(place, seen)
        stop = first + len(text[first:start].rstrip(" \t"))
        behind = seen = _behind(pattern, text, end)
        at_start = stop == 0 or text[stop - 1] == "\n"
        at_end = behind == len(text) or text[behind] == "\n"
        if _WHOLE_LINES_ONLY.issuperset(match[0]) and not (at_start and at_end):
            seen = end
            continue
        kept.append(text[place:stop])
        if not at_start and not at_end:
            kept.append(" ")
        place = behind + 1 if at_start and at_end else behind
    kept.append(text[place:])
    return "".join(kept)


def _behind(pattern: re.Pattern[str], text: str, place: int) -> int:
    """Where blanks, and more matches between blanks, are over."""
    while True:
        blank = _BLANKS.match(text, place)
        place = blank.end() if blank else place
        more = pattern.match(text, place)
        if not more:
            return place
        place = more.end()
