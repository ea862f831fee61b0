from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.corpus.cutting import blocks, cut_before


def test_paragraphs_before_lines_before_words_before_anything() -> None:
    assert cut_before("ab\n\ncd\nef gh", 0, 12) == 4
    assert cut_before("ab\n\ncd\nef gh", 4, 12) == 7
    assert cut_before("ab\n\ncd\nef gh", 7, 12) == 10
    assert cut_before("abcdefgh", 2, 5) == 5


@given(st.text(st.sampled_from("ab \n")), st.integers(1, 12))
@settings(deadline=None, max_examples=50)
def test_blocks_join_to_the_text_and_have_their_size(text: str, size: int) -> None:
    found = list(blocks(text, size))
    assert "".join(found) == text
    assert all(0 < len(block) <= size + size // 2 for block in found)
    assert all(len(block) >= size // 2 for block in found) or len(found) == 1
