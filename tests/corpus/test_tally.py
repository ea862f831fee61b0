from __future__ import annotations

from collections import Counter

from lmcli.corpus.tally import Tally, left_out, telling
from lmcli.progress import Silent


class Notes(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def test_what_was_left_out_is_named_by_reason() -> None:
    assert left_out({"row": 1200, "encoding": 0, "empty_completion": 3}) == (
        "rows left out: 3 with an empty completion, 1,200 without usable text"
    )
    assert left_out({"empty": 2}, "documents") == "documents left out: 2 without text"
    assert left_out({}) == left_out({"row": 0}) == ""


def test_what_was_replaced_is_named_too() -> None:
    tally = Tally(dropped=Counter(encoding=1), replaced=2, surrogates=4)
    assert tally.lost() == (
        "rows left out: 1 with bytes outside their encoding; "
        "replaced by U+FFFD: 2 undecodable byte sequences, 4 lone surrogates"
    )
    assert Tally(surrogates=1).lost() == "replaced by U+FFFD: 1 lone surrogates"
    assert Tally(documents=5).lost() == ""


def test_a_warning_comes_once_and_after_the_last_item() -> None:
    notes, tally = Notes(), Tally()
    items = telling(iter("ab"), tally, notes)
    assert next(items) == "a"
    tally.dropped["row"] += 1
    assert not notes.warnings
    assert list(items) == ["b"]
    assert notes.warnings == ["rows left out: 1 without usable text"]


def test_nothing_is_said_where_nothing_was_lost() -> None:
    notes = Notes()
    assert list(telling("ab", Tally(), notes)) == ["a", "b"]
    assert not notes.warnings
