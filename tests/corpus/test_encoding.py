from __future__ import annotations

import codecs
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.corpus.encoding import MARK, choose, decode
from lmcli.errors import InputError

CHINESE = "第二章。他走进房间，看见桌子上放着一封信。信是他母亲写的，字迹已经有些模糊了。\n" * 20
TAIWANESE = "第二章。他走進房間，看見桌子上放著一封信。信是他母親寫的，字跡已經有些模糊了。\n" * 20
JAPANESE = "彼は部屋に入ると、机の上に手紙が置いてあるのを見つけた。カタカナも少しあります。\n" * 20
KOREAN = "그는 방에 들어가서 책상 위에 놓인 편지를 보았다. 어머니가 쓴 편지였다.\n" * 20
RUSSIAN = "Он вошёл в комнату и увидел на столе письмо. Письмо было от его матери.\n" * 20


def in_pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[start : start + size] for start in range(0, len(data), size))


def text_of(data: bytes, wanted: str = "auto", strict: bool = True, size: int = 7) -> tuple[str, str]:
    encoding = choose(data, True, wanted, "a.txt")
    return encoding.name, "".join(decode(in_pieces(data, size), encoding, strict, "a.txt"))


@given(st.text(), st.integers(1, 9))
@settings(deadline=None, max_examples=50)
def test_utf8_comes_back_unaltered_however_it_is_cut(text: str, size: int) -> None:
    encoding = choose(text.encode(), True, "utf-8", "a.txt")
    if not text.startswith("\ufeff"):
        assert "".join(decode(in_pieces(text.encode(), size), encoding, True, "a.txt")) == text


@pytest.mark.parametrize(
    ("mark", "name"),
    [
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_byte_order_marks_decide_and_are_taken_away(mark: bytes, name: str) -> None:
    assert text_of(mark + "naïve 你好\r\n".encode(name)) == (name, "naïve 你好\r\n")
    assert text_of(mark) == (name, "")
    family = name.rsplit("-", 1)[0] if name != "utf-8" else name
    assert text_of(mark + "你好".encode(name), wanted=family) == (name, "你好")


@pytest.mark.parametrize("text", ["a\r\nb\rc\n", "a\u2028b\x0bc\x1cd\x85e", "a\x00b", "\ufeffa\ufeff"[1:]])
def test_no_character_is_altered(text: str) -> None:
    assert text_of(text.encode()) == ("utf-8", text)


@pytest.mark.parametrize(
    ("text", "codec", "name"),
    [
        (CHINESE, "gbk", "gb18030"),
        (CHINESE, "gb18030", "gb18030"),
        (TAIWANESE, "big5", "big5"),
        (JAPANESE, "cp932", "cp932"),
        (KOREAN, "cp949", "cp949"),
        (RUSSIAN, "cp1251", "cp1251"),
        (RUSSIAN, "koi8_r", "koi8_r"),
    ],
)
def test_a_legacy_encoding_is_recognised_when_it_is_certain(text: str, codec: str, name: str) -> None:
    assert text_of(text.encode(codec), size=1000) == (name, text)


def test_a_legacy_encoding_is_found_behind_plain_ascii() -> None:
    text = "import os\n# comment\n" * 50 + CHINESE
    assert text_of(text.encode("gbk"), size=1000) == ("gb18030", text)


@pytest.mark.parametrize(
    "data",
    [
        ("Il entra dans la pièce et vit une lettre posée. C'était sa mère.\n" * 20).encode("cp1252"),
        b"He said \x93hello\x94 and it\x92s fine.\n" * 5,
        "Ein naïver Weg über die Brücke: größer, schöner\n".encode("latin-1") * 9,
        "你好\n".encode("gbk"),
        CHINESE.encode() + b"\xff" + CHINESE.encode(),
        bytes.fromhex("89504e470d0a1a0a0000000d494844520000") * 10,
    ],
)
def test_what_is_not_certain_is_an_error(data: bytes) -> None:
    with pytest.raises(InputError, match="not valid utf-8 at byte offset") as caught:
        text_of(data, size=1000)
    assert "--encoding" in (caught.value.hint or "")


@given(st.text(), st.binary(min_size=1, max_size=4), st.text(), st.integers(1, 9))
@settings(deadline=None, max_examples=50)
def test_the_error_names_offset_and_line(before: str, junk: bytes, after: str, size: int) -> None:
    data = before.encode() + junk + after.encode()
    try:
        data.decode()
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        with pytest.raises(InputError) as caught:
            text_of(data, wanted="utf-8", size=size)
        if not data.startswith(codecs.BOM_UTF8):
            assert f"a.txt:{line}: not valid utf-8 at byte offset {error.start} " in caught.value.message


def test_a_character_cut_off_by_the_end_of_the_file_is_an_error() -> None:
    with pytest.raises(InputError, match=r"a\.txt:2: not valid utf-8 at byte offset 7"):
        text_of("first\na你".encode()[:-1])


def test_the_error_knows_offset_and_line_in_utf16_too() -> None:
    data = codecs.BOM_UTF16_BE + "a\nb\n".encode("utf-16-be") + b"\xdc\x00" + "c".encode("utf-16-be")
    with pytest.raises(InputError, match=r"a\.txt:3: not valid utf-16-be at byte offset 10"):
        text_of(data, size=3)


@given(st.lists(st.one_of(st.text(), st.binary(max_size=3))), st.integers(1, 9))
@settings(deadline=None, max_examples=50)
def test_marks_stand_for_bad_bytes_and_the_rest_of_the_file_stays(parts: list[str | bytes], size: int) -> None:
    data = b"x" + b"".join(part.encode() if isinstance(part, str) else part for part in parts)
    _, text = text_of(data, wanted="utf-8", strict=False, size=size)
    assert text.replace(MARK, "\ufffd") == data.decode("utf-8", "replace")
    assert text.count(MARK) == data.decode("utf-8", "replace").count("\ufffd") - data.count("\ufffd".encode())


@pytest.mark.parametrize("order", ["le", "be"])
def test_utf16_without_a_mark_is_recognised_and_refused(order: str) -> None:
    data = "Latin text, as Windows programs save it\r\n".encode(f"utf-16-{order}")
    with pytest.raises(InputError, match=r"a\.txt looks like UTF-16") as caught:
        text_of(data)
    assert f"--encoding utf-16-{order}" in (caught.value.hint or "")
    assert text_of(data, wanted=f"utf-16-{order}")[1] == "Latin text, as Windows programs save it\r\n"


def test_the_users_word_counts() -> None:
    assert text_of("café".encode("cp1252"), wanted="cp1252") == ("cp1252", "café")
    assert text_of("é".encode(), wanted="latin-1")[1] == "Ã©"


@pytest.mark.parametrize("name", ["utf-99", "hex", "rot13", "zlib", "", "a\x00b"])
def test_unknown_encodings_are_refused(name: str) -> None:
    with pytest.raises(InputError, match="unknown encoding"):
        text_of(b"abc", wanted=name)
