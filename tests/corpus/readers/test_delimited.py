from __future__ import annotations

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.errors import InputError

from ..conftest import Read, WriteFile


def test_csv_with_quotes_newlines_and_commas(write_file: WriteFile, read_all: Read) -> None:
    write_file("a.csv", 'id,text\r\n1,"one, ""quoted""\nand more"\r\n2,two\r\n')
    documents, _ = read_all("a.csv")
    assert [(document.id, document.text) for document in documents] == [
        ("a.csv:3", 'one, "quoted"\nand more'),
        ("a.csv:4", "two"),
    ]


def test_a_long_field_is_no_problem(write_file: WriteFile, read_all: Read) -> None:
    write_file("a.csv", "text\n" + "x" * 300_000 + "\n")
    assert len(read_all("a.csv")[0][0].text) == 300_000


def test_tsv_has_no_quotes(write_file: WriteFile, read_all: Read) -> None:
    write_file("a.tsv", 'sentence\tlabel\n"to be" or not\t1\n" unbalanced\t0\n')
    assert [document.text for document in read_all("a.tsv")[0]] == ['"to be" or not', '" unbalanced']


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ("a,b\n1,2\n", r"a\.csv:1: no column text or content .*columns: a, b"),
        ("text,text\n1,2\n", "two columns have the same name"),
        ("id,text\n1,a\n2\n", r"a\.csv:3: 1 fields, but the header names 2"),
        ('id,text\n1,"never closed\n2,b\n', "not valid: unexpected end of data"),
        ('id,text\n1,"a"b\n', r"a\.csv:2: not valid"),
    ],
)
def test_what_is_wrong_is_named(write_file: WriteFile, read_all: Read, data: str, reason: str) -> None:
    write_file("a.csv", data)
    with pytest.raises(InputError, match=reason):
        read_all("a.csv")


def test_a_file_without_rows_has_no_documents(write_file: WriteFile, read_all: Read) -> None:
    write_file("a.csv", "")
    write_file("b.csv", "text\n")
    assert read_all("a.csv", "b.csv")[0] == []


@given(texts=st.lists(st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"]), min_size=1)))
@settings(deadline=None, max_examples=30)
def test_what_the_csv_module_writes_is_read_back(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    from pathlib import Path

    from lmcli.corpus.config import ReadingConfig
    from lmcli.corpus.reading import read
    from lmcli.corpus.sources import resolve
    from lmcli.corpus.tally import Tally
    from lmcli.progress import Silent

    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_ALL)
    writer.writerows([["text"], *([text] for text in texts)])
    path: Path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_bytes(buffer.getvalue().encode())
    config = ReadingConfig(encoding="utf-8")
    documents = read(resolve([str(path)], path.parent), config, Silent(), Tally())
    assert [document.text for document in documents] == [text for text in texts if text.strip()]  # blank documents are none
