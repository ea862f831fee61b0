from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lmcli.errors import InputError

from ..conftest import Read, WriteFile

TABLE = pa.table({"id": [1, 2, 3], "text": ["one", "two 你好", "three"], "vector": [[0.5], [1.0], []]})


def test_parquet_rows_are_documents(tmp_path: Path, read_all: Read) -> None:
    pq.write_table(TABLE, tmp_path / "a.parquet", row_group_size=2)
    documents, tally = read_all("a.parquet")
    assert [(document.id, document.text) for document in documents] == [
        ("a.parquet:1", "one"),
        ("a.parquet:2", "two 你好"),
        ("a.parquet:3", "three"),
    ]
    assert tally.documents == 3


@pytest.mark.parametrize("kind", ["stream", "file"])
def test_arrow_rows_are_documents(tmp_path: Path, read_all: Read, kind: str) -> None:
    opened = pa.ipc.new_stream if kind == "stream" else pa.ipc.new_file
    with opened(str(tmp_path / "a.arrow"), TABLE.schema) as writer:
        writer.write_table(TABLE)
    assert [document.text for document in read_all("a.arrow")[0]] == ["one", "two 你好", "three"]


def test_null_and_wrong_columns_are_named(tmp_path: Path, read_all: Read) -> None:
    pq.write_table(pa.table({"text": ["a", None]}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a\.parquet:2: text is null"):
        read_all("a.parquet")
    pq.write_table(pa.table({"words": ["a"]}), tmp_path / "b.parquet")
    with pytest.raises(InputError, match=r"b\.parquet: no column text .*columns: words"):
        read_all("b.parquet")
    assert read_all("b.parquet", text_key="words")[0][0].text == "a"


def test_bytes_that_are_no_text_are_a_bad_row(tmp_path: Path, read_all: Read) -> None:
    column = pa.array([b"fine", b"\xff"]).view(pa.string())
    pq.write_table(pa.table({"text": column}), tmp_path / "a.parquet")
    with pytest.raises(InputError, match=r"a\.parquet:2: not valid UTF-8"):
        read_all("a.parquet")


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow"])
def test_damage_is_an_input_error(tmp_path: Path, write_file: WriteFile, read_all: Read, name: str) -> None:
    pq.write_table(TABLE, tmp_path / "whole")
    whole = (tmp_path / "whole").read_bytes()
    for data in (b"", b"nonsense, not columns", whole[: len(whole) // 2], whole[:-3]):
        write_file(name, data)
        with pytest.raises(InputError, match=name):
            read_all(name)
