from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.tokens.pretokenization import WHITESPACE_LIMIT, byte_of_character, has_long_whitespace, segments
from lmcli.tokens.tokenizer import Tokenizer

# The signs at which the pattern's alternatives meet.
SIGNS = st.sampled_from(
    [*"ab AS'sd1٣.,!-_\n\r\t中文，。é\u0301\u00a0\u3000\x85\x1c\u200b\U0001f600ſ", "'re", " \n", "\r\n"]
)
TEXT = st.lists(SIGNS, max_size=60).map("".join)


@settings(deadline=None, max_examples=50)
@given(TEXT, st.integers(1, 6))
def test_segments_have_the_tokens_of_the_whole(bpe: Tokenizer, text: str, size: int) -> None:
    parts = list(segments(text, size))
    assert "".join(parts) == text
    assert [token for part in parts for token in bpe.encode_part(part)] == bpe.encode_part(text)


def test_long_text_is_cut_near_the_size_asked_for(text: str) -> None:
    parts = list(segments(text, 1000))
    assert len(parts) > len(text) // 1200
    assert max(map(len, parts)) < 1200


def test_chinese_is_cut_although_it_has_no_spaces() -> None:
    assert len(list(segments("床前明月光，疑是地上霜。" * 100, 100))) > 8


def test_a_word_is_never_cut_but_endless_white_space_is() -> None:
    word = "x" * 1_500_000
    assert list(segments(word, 100)) == [word]
    blank = "a" + " " * (3 * WHITESPACE_LIMIT) + "b"
    parts = list(segments(blank, 100))
    assert "".join(parts) == blank
    assert max(map(len, parts)) <= 1.5 * WHITESPACE_LIMIT


def test_long_white_space_is_found_wherever_it_begins() -> None:
    assert all(has_long_whitespace("x" * before + "\t " * 100 + "x", 100) for before in range(0, 210, 7))
    assert not any(has_long_whitespace("x" * before + " " * 99 + "x" * 200, 100) for before in range(0, 210, 7))


def test_the_byte_table_is_that_of_the_library() -> None:
    from tokenizers import pre_tokenizers

    table = byte_of_character()
    assert sorted(table.values()) == list(range(256))
    assert set(table) == set(pre_tokenizers.ByteLevel.alphabet())
    assert "".join(sign for byte in "中 \n".encode() for sign in table if table[sign] == byte) == "ä¸ŃĠĊ"
