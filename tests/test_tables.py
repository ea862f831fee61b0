from __future__ import annotations

from lmcli.tables import aligned


def test_columns_are_aligned_to_their_sides() -> None:
    assert aligned([("a", "1,000", "x"), ("long", "5", "")], "<><") == ["a     1,000  x", "long      5"]


def test_wide_letters_take_two_places_and_marks_none() -> None:
    assert aligned([("天气", "1"), ("ab", "2"), ("e\u0301", "3")], "<<") == ["天气  1", "ab    2", "e\u0301     3"]


def test_no_rows_are_no_lines() -> None:
    assert aligned([], "<>") == []
