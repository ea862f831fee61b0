from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcli.corpus.records import BadRowError, BadRows, pick
from lmcli.errors import InputError

from .conftest import Read, WriteFile

BAD = {
    "{": "not JSON",
    '{"other": "x"}': "no key text or content",
    '{"text": null}': "text is null, not a string",
    '{"text": 3}': "text is a int, not a string",
    '{"text": ["a"]}': "text is a list, not a string",
    '["text"]': "not an object",
    '{"text": "a", "text": "b"}': "a key stands twice",
    '{"text": "a", "n": NaN}': "NaN is no JSON",
    '{"text": ' + "[" * 10_000 + "]" * 10_000 + "}": "nested too deeply",
}


@pytest.mark.parametrize(("line", "reason"), BAD.items(), ids=[reason[:20] for reason in BAD.values()])
def test_a_bad_row_is_named_with_file_and_line(write_file: WriteFile, read_all: Read, line: str, reason: str) -> None:
    write_file("a.jsonl", '{"text": "good"}\n\n' + line + '\n{"text": "good"}')
    with pytest.raises(InputError, match=rf"^a\.jsonl:3: .*{reason}.*1 of 3 rows are bad"):
        read_all("a.jsonl")
    documents, tally = read_all("a.jsonl", max_bad_rows=0.34)
    assert [document.id for document in documents] == ["a.jsonl:1", "a.jsonl:4"]
    assert tally.dropped == {"row": 1}


def test_the_first_five_bad_rows_and_their_number_are_shown(write_file: WriteFile, read_all: Read) -> None:
    write_file("a.jsonl", "x\n" * 9 + '{"text": "good"}\n')
    with pytest.raises(InputError) as caught:
        read_all("a.jsonl", max_bad_rows=0.5)
    assert [f"a.jsonl:{line}:" in caught.value.message for line in (1, 5, 6)] == [True, True, False]
    assert "9 of 10 rows" in caught.value.message


def test_the_tolerance_is_a_share_of_all_rows() -> None:
    rows = BadRows("a", 0.1, rows=20)
    rows.add(1, "x")
    rows.add(2, "x")
    rows.check()
    rows.add(3, "x")
    with pytest.raises(InputError):
        rows.check()


def test_the_key_of_the_text(write_file: WriteFile, read_all: Read) -> None:
    write_file("a.jsonl", '{"content": "c", "mine": "m"}\n{"content": "d", "text": "t", "mine": "n"}\n')
    assert [document.text for document in read_all("a.jsonl")[0]] == ["c", "t"]
    assert [document.text for document in read_all("a.jsonl", text_key="mine")[0]] == ["m", "n"]
    with pytest.raises(BadRowError):
        pick({"text": "x"}, ("other",))


@given(st.text(st.characters(), max_size=20))
def test_lone_surrogates_become_replacement_characters(text: str) -> None:
    # json.dumps writes lone surrogates as escapes, and joins pairs that happen to fit when they are read again
    joined = json.loads(json.dumps(text))
    expected = "".join("\ufffd" if "\ud800" <= character <= "\udfff" else character for character in joined)
    from lmcli.corpus.config import ReadingConfig
    from lmcli.corpus.reading import Reading
    from lmcli.corpus.tally import Tally

    tally = Tally()
    assert Reading(ReadingConfig(), tally, lambda amount: None).settle(joined) == expected
    assert tally.surrogates == sum("\ud800" <= character <= "\udfff" for character in joined)


def test_surrogates_nul_and_separators_in_json(write_file: WriteFile, read_all: Read) -> None:
    write_file("a.jsonl", '{"text": "a\\ud800b \\ud83d\\ude00 \\u0000"}\n{"text": "x\u2028y\x85z"}\r\n')
    documents, tally = read_all("a.jsonl")
    assert [document.text for document in documents] == ["a\ufffdb 😀 \x00", "x\u2028y\x85z"]
    assert tally.surrogates == 1


def test_bad_bytes_concern_their_row_only(write_file: WriteFile, read_all: Read) -> None:
    write_file("a.jsonl", b'{"text": "one"}\n{"text": "tw\xff\xffo"}\n{"text": "three"}\n')
    with pytest.raises(InputError, match=r"a\.jsonl:2: not valid utf-8 at byte offset 28"):
        read_all("a.jsonl")
    documents, tally = read_all("a.jsonl", encoding_errors="replace")
    assert [document.text for document in documents] == ["one", "tw\ufffd\ufffdo", "three"]
    assert tally.replaced == 2
    documents, tally = read_all("a.jsonl", encoding_errors="drop")
    assert [document.id for document in documents] == ["a.jsonl:1", "a.jsonl:3"]
    assert tally.dropped == {"encoding": 1}
