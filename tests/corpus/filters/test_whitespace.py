from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.corpus.filters.whitespace import Whitespace

TEXTS = st.text(st.sampled_from("ab \t\n\r\u3000\x0c"))


def test_newlines_line_ends_and_blank_lines() -> None:
    text = "\n\n  first \r\n\r\n\r\n\tsecond\t\rthird  \n \n\n\nlast\n\n"
    assert Whitespace().apply(text) == "  first\n\n\tsecond\nthird\n\nlast"
    assert Whitespace(blank_lines=0).apply(text) == "  first\n\tsecond\nthird\nlast"
    assert Whitespace(blank_lines=2).apply(text) == "  first\n\n\n\tsecond\nthird\n\n\nlast"


def test_the_kind_of_newline_makes_no_difference() -> None:
    text = "a\n\n  b\nc"
    assert Whitespace().apply(text.replace("\n", "\r\n")) == Whitespace().apply(text.replace("\n", "\r")) == text


@given(TEXTS)
@settings(deadline=None, max_examples=50)
def test_only_whitespace_goes_and_twice_is_once(text: str) -> None:
    once = Whitespace().apply(text)
    assert "".join(once.split()) == "".join(text.split())
    assert Whitespace().apply(once) == once
    assert "\n\n\n" not in once
    assert all(line == line.rstrip() for line in once.split("\n"))
