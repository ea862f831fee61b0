"""Where sentences end: rules for scripts with and without spaces, in linear time."""

from __future__ import annotations

import itertools
import re

_NEWLINES = "\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029"
_SURE = "。！？｡।॥۔؟።։។။"  # ends of sentences whatever stands behind them
_CLOSING = "\"'”’»›)\\]}」』】》〉）］｝*_`"

# Marks are taken with all that belongs to them, wanted or not: a match that could fail would be tried at each of them.
_END = re.compile(
    rf"(?P<marks>[.!?…‥．‼⁇⁈⁉{_SURE}]++)(?P<closing>[{_CLOSING}]*+(?:[ \xa0\u202f]»)?+)(?P<space>\s*+)"
    rf"|(?P<line>[{_NEWLINES}])\s*+"
)
_NEWLINE = re.compile(f"[{_NEWLINES}]")
_IS_SURE = re.compile(f"[{_SURE}]|……")
_SPACELESS_LETTER = re.compile("[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff]")
_BEFORE = re.compile(r"[^\s(\[{\"'“‘«„]*\Z")
_NEXT = re.compile(r"[(\[{\"'“‘«„¿¡*_]{0,4}+(?P<word>\w{0,20}+)")
_SHORTENED = re.compile(r"[^\W\d_](?:\.[^\W\d_]{1,2})*+")  # J, U.S, Ph.D

_LOOK_BACK = 24  # characters: no abbreviation is longer

_TITLES = frozenset(
    """mr mrs ms messrs dr prof st mt ft gen col capt cpt lt sgt maj cmdr adm rev hon gov sen rep pres supt vs cf viz
    e.g i.e eg ie resp approx ca incl geb hr frl z.b d.h u.a o.ä bzw vgl sog ggf evtl mme mlle mgr sra srta dra ud uds
    p.ej""".split()
)
"""Never the last word."""

_NUMBERED = frozenset("no nos nr fig figs eq eqs sec ch chap vol pp p pg par art abs bd tel núm pág".split())
"""Not the last word when a number follows."""

_EITHER = frozenset(
    """etc inc ltd co corp bros jr sr al est dept univ assn ave blvd rd jan feb mar apr jun jul aug sep sept oct nov dec
    mon tue tues wed thu thur thurs fri sat sun usw str ed eds""".split()
)
"""The last word when the next one often begins a sentence; so are initials and what has periods inside."""

_STARTS = frozenset(
    """a an and as at but by for from he her his how however i if in it its my no not of on or our she so some that the
    their then there these they this those to we what when where which while who why with yes you your after all also
    although another are because before both do did does each even every first is was were will would
    der die das ein eine er sie es wir ich und aber in im am auf mit nach seit wenn als so
    le la les un une il elle ils elles nous vous on et mais dans en ce cette ces
    el los las una ella ellos y pero esto este esta""".split()
)
_MONTHS = frozenset("januar februar märz april mai juni juli august september oktober november dezember".split())


def sentences(text: str) -> list[str]:
    """The sentences of a text, each with the space behind it; joined, they are exactly the text."""
    return [text[start:end] for start, end in itertools.pairwise([0, *sentence_ends(text)])]


def sentence_ends(text: str) -> list[int]:
    """The offset in characters behind each sentence and its space; the last one is the length of the text.

    A newline always ends a sentence. So do 。！？ and their like, with closing quotes and brackets, unless a quote goes
    on with Japanese と. Behind . ! ? … must be a space; abbreviations, initials, numbers of a list and German dates
    don't end one, nor does a period before a lower-case word in a text that has capitals.
    """
    ends: list[int] = []
    start, has_capitals = 0, text != text.lower()
    for match in _END.finditer(text):
        if _is_blank(text, start, match) if match["line"] else not _ends(text, start, match, has_capitals):
            continue
        start = match.end()
        ends.append(start)
    return ends if start == len(text) else [*ends, len(text)]


def _is_blank(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether nothing but space stands before the newline, which happens at the start of a text only."""
    return start == match.start() or text[start : match.start()].isspace()


def _ends(text: str, start: int, match: re.Match[str], has_capitals: bool) -> bool:
    """Whether the marks that were found end the sentence that begins at `start`."""
    marks, closing, space = match["marks"], match["closing"], match["space"]
    if space and _NEWLINE.search(space):
        return True
    behind = text[match.end() : match.end() + _LOOK_BACK]
    if _IS_SURE.search(marks) or (marks[-1] in "…‥" and closing and not space):
        return not (closing and behind.startswith(("と", "って")))
    if not space:
        between = marks[-1] in "!?‼⁇⁈⁉．" or (marks == "." and _SPACELESS_LETTER.match(text, match.start() - 1))
        return bool(between and _SPACELESS_LETTER.match(behind))
    following = _NEXT.match(behind)
    word = following["word"] if following else ""
    if behind.startswith((".", "!", "?", "…")):
        return False
    if word[:1].islower() and has_capitals and (closing or marks[-1] in ".…‥"):
        return False
    return marks != "." or not _is_shortened(text[max(start, match.start() - _LOOK_BACK) : match.start()], word)


def _is_shortened(before: str, word: str) -> bool:
    """Whether a period behind `before` shortens its last word or makes a number an ordinal; `word` comes next."""
    found = _BEFORE.search(before)
    last = found[0].lower() if found else ""
    if last.isdecimal():
        return before.lstrip("#*-+•> ") == last or word.lower() in _MONTHS
    if last in _TITLES:
        return True
    if last in _NUMBERED:
        return word[:1].isdecimal()
    if last in _EITHER or _SHORTENED.fullmatch(last):
        return word.lower() not in _STARTS
    return False
