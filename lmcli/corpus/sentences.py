"""Text as sentences, for objectives that put them in order or fill them in."""

from __future__ import annotations

import re

from lmcli.corpus.words import SPACELESS

_SURE = "。！？｡؟۔।॥։።။។៕"  # end a sentence always; . ! ? and … where a space or a script without spaces follows
_CLOSING = r"\"'”’»)\]}』」】》〉）］｝〕｣*_`"
# A sentence may end behind marks, what closes with them and the space, or behind a newline.
_STOP = re.compile(rf"(?:(?P<marks>[.!?…{_SURE}]++)(?P<closing>[{_CLOSING}]*+(?:[ \xa0\u202f]»)?+)|\n)(?P<space>\s*+)")
_PHRASE = re.compile("(?<=[\u0e01-\u0e5b]) ++(?=[\u0e01-\u0e5b])")

_OPENING = re.compile(r"[\"'“‘«(\[{¿¡*_`「『（《【]*+")
_SPACELESS = re.compile(f"[{SPACELESS}]")
_LIST_ITEM = re.compile(r"(?:[-*+•·>|]|#{1,6}|[0-9]{1,3}[.)]|[a-zA-Z]\))[ \t]|[-=*_]{3}")
_BLANK_LINE = re.compile(r"\n[^\S\n]*+\n")
_BEFORE = 24  # characters in front of a full stop, among which its word is looked for
_APART = re.compile(r"[\s(\[{\"'“‘«,;:/*_`]")
_INITIALS = re.compile(r"(?:[^\W\d_]\.)*+[^\W\d_]")
_NEXT_WORD = re.compile(r"[^\W\d_]++")

# A name follows these, written with a capital letter; a number follows those; a sentence goes on behind these others.
_TITLES = frozenset(
    """
    Adm Brig Capt Cmdr Col Cpl Dipl Dr Drs Fr Frl Gen Gov Hon Hr Ing Lt Maj Messrs Mgr Mlle Mme Mr Mrs Ms Mt Mts Pres
    Prof Rep Rev Sen Sgt Sr Sra Srta St Ste Supt Avda Dña Excmo Ud Uds
    """.split()
)
_NUMBERED = frozenset(
    """
    abb abs art bd bl ch chap eq eqs fig figs kap no nos nr núm op p pág par pp ref s sec str tab vol vols jan feb mar
    apr jun jul aug sep sept oct okt nov dec dez
    """.split()
)
_GOING_ON = frozenset(
    """
    approx bzw ca cf d.h dept e.g ed eds esp evtl ex fl ggf hrsg i.e incl inkl p.ej sog u.a univ vgl viz vs z.b z.t
    """.split()
)
# Behind these, and behind initials (U.S., J. R., Plan B.), a sentence begins only with one of the words below.
_EITHER = frozenset("al bros co corp dist div etc inc jr ltd mfg est usw".split())
_BEGINNINGS = frozenset(
    """
    a after all although an and as at because but by during each every for from he her here his how however i if in it
    its many most my no not on one our she since so some that the their then there these they this those though to we
    what when where which while who why with yet you
    aber als da das der die dies ein eine er es ich im nach sie und was wenn wir
    cela ce cette dans elle en et il ils je la le les mais nous pour un une vous
    al como con cuando de el ella eso esta este las lo los para pero por si su una y
    """.split()
)


def sentences(text: str) -> list[str]:
    """The sentences of a text, each with the space behind it: joined, they are the text.

    Full stops behind abbreviations, initials and the numbers of lists end nothing, nor does a mark that a small letter
    follows. Marks of Chinese, Japanese and other scripts that have their own always end one, with the quotes and
    brackets that close behind them. A blank line ends one, and so does a newline before an item of a list or a heading,
    or between lines of a script without spaces; any other newline is a space. Thai has no marks: there each space
    between letters ends a piece, which is a clause more often than a sentence.
    """
    pieces: list[str] = []
    place = 0
    for end in sentence_ends(text):
        pieces.append(text[place:end])
        place = end
    return pieces


def sentence_ends(text: str) -> list[int]:
    """Where each sentence ends, behind its trailing space: ascending, and the last is len(text) unless that is 0."""
    found = {match.end() for match in _STOP.finditer(text) if _ends(text, match)}
    if not text.isascii():
        found.update(match.end() for match in _PHRASE.finditer(text))
    # The space that a text begins with belongs to its first sentence.
    found.discard(len(text) - len(text.lstrip()))
    if text:
        found.add(len(text))
    return sorted(found)


def _ends(text: str, stop: re.Match[str]) -> bool:
    space, marks = stop["space"], stop["marks"]
    if stop.end() == len(text) or _BLANK_LINE.search(space if marks else stop[0]):
        return True
    follows = _OPENING.match(text, stop.end())
    next_sign = text[follows.end() : follows.end() + 1] if follows else ""
    spaceless = bool(_SPACELESS.match(text[stop.start() - 1 : stop.start()]) and _SPACELESS.match(next_sign))
    if not marks:
        return spaceless or bool(_LIST_ITEM.match(text, stop.end()))
    if spaceless or any(mark in _SURE for mark in marks):
        return True
    if not space or next_sign.islower():
        return False
    if "\n" in space and _LIST_ITEM.match(text, stop.end()):
        return True
    return marks != "." or bool(stop["closing"]) or _full_stop(text, stop.start(), follows.end() if follows else 0)


def _full_stop(text: str, place: int, following: int) -> bool:
    """Whether the full stop at `place` ends a sentence before the capital letter, number or sign at `following`."""
    before = text[max(0, place - _BEFORE) : place]
    word = _APART.split(before)[-1]
    if word.isdecimal() and len(word) <= 3 and text[max(0, place - len(word) - 1) : place - len(word)] in ("", "\n"):
        return False
    if word in _TITLES or word.lower() in _GOING_ON:
        return False
    if word.lower() in _NUMBERED and text[following : following + 1].isdecimal():
        return False
    if word.lower() in _EITHER or (word != "I" and _INITIALS.fullmatch(word)):
        after = _NEXT_WORD.match(text, following)
        return after is None or after[0].lower() in _BEGINNINGS
    return True
