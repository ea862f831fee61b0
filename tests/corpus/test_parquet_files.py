from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from lmcli.corpus import parquet_files
from lmcli.corpus.documents import Document
from lmcli.corpus.parquet_files import DOCUMENTS, RowWriter, read_documents


def test_row_groups_and_files_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_files, "ROW_GROUP", 100)
    monkeypatch.setattr(parquet_files, "PART", 250)
    documents = [Document(str(number), "你" * 10 + str(number), group=number) for number in range(50)]
    with RowWriter(tmp_path / "data", DOCUMENTS) as writer:
        for document in documents:
            writer.write((document.id, document.text, document.source, document.language, document.group))
    parts = sorted((tmp_path / "data").iterdir())
    assert [part.name for part in parts[:2]] == ["part-00000.parquet", "part-00001.parquet"]
    assert len(parts) > 3
    with pq.ParquetFile(parts[0]) as file:
        assert [file.metadata.row_group(group).num_rows for group in range(3)] == [4, 4, 4]
        assert file.metadata.num_row_groups == 3
    assert list(read_documents(tmp_path / "data")) == documents


def test_an_error_on_the_way_is_not_hidden(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), RowWriter(tmp_path / "data", DOCUMENTS) as writer:
        writer.write(("a", "text", "", "", 1))
        raise ZeroDivisionError
