from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.corpus.readers.jsonl import lines


@given(st.lists(st.text(st.sampled_from("ab\n\r\u2028"), max_size=5)))
@settings(deadline=None, max_examples=50)
def test_lines_are_split_on_newlines_only_however_they_arrive(chunks: list[str]) -> None:
    text = "".join(chunks)
    expected = text.split("\n")
    assert list(lines(chunks)) == (expected if expected[-1] else expected[:-1])
    assert "".join(lines(chunks, keep_ends=True)) == text
