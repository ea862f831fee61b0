from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lmcli.corpus.sources import files_behind, resolve
from lmcli.errors import InputError

from ..conftest import Read


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


@pytest.mark.slow
def test_a_local_data_set_is_streamed(tmp_path: Path, read_all: Read) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n')
    (folder / "test.jsonl").write_text('{"text": "three"}\n')
    assert [document.text for document in read_all(f"hf:{folder}")[0]] == ["one", "two"]
    assert [(document.id, document.text) for document in read_all(f"hf:{folder}:test")[0]] == [
        (f"hf:{folder}:test:1", "three")
    ]


def test_what_cannot_be_loaded_is_an_input_error(tmp_path: Path, read_all: Read) -> None:
    with pytest.raises(InputError, match=r"can't read .*/gone: No such file"):
        read_all(f"hf:{tmp_path / 'gone'}")
    with pytest.raises(InputError, match=r"can't read hf:owner/name/all:test: "):
        read_all("hf:owner/name/all:test")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InputError, match=r"hf:./a.txt: .*/a\.txt is no folder"):
        read_all("hf:./a.txt")


@pytest.mark.slow
def test_a_folder_of_parquet_files_is_named_from_the_project(tmp_path: Path, read_all: Read) -> None:
    (tmp_path / "data").mkdir()
    for number in range(3):
        table = pa.table({"n": [1, 2], "content": [f"one {number}", f"two {number}"]})
        pq.write_table(table, tmp_path / "data" / f"train-{number:05d}.parquet")
    documents, tally = read_all("hf:./data")
    assert [document.text for document in documents] == [f"{word} {n}" for n in range(3) for word in ("one", "two")]
    assert (documents[0].id, tally.documents) == ("hf:./data:1", 6)
    with pytest.raises(InputError, match=r"can't read hf:\./data:other") as caught:
        read_all("hf:./data:other")
    assert "check the split" in (caught.value.hint or "")


def test_what_lies_in_a_local_data_set_decides_its_content(tmp_path: Path) -> None:
    (tmp_path / "data" / "sub").mkdir(parents=True)
    for name in ("b.jsonl", "sub/a.jsonl"):
        (tmp_path / "data" / name).write_text("{}")
    (source,) = resolve(["hf:./data:train"], tmp_path)
    assert [name for name, _ in files_behind(source)] == ["hf:./data:train/b.jsonl", "hf:./data:train/sub/a.jsonl"]
    (hub,) = resolve(["hf:a/b"], tmp_path)
    assert list(files_behind(hub)) == [("hf:a/b", None)]
