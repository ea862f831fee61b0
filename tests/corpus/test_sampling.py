from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from lmcli.config import decode
from lmcli.corpus.config import CleanConfig
from lmcli.corpus.documents import Document
from lmcli.corpus.parquet_files import DOCUMENTS, RowWriter
from lmcli.corpus.recipe import chain_of
from lmcli.corpus.sampling import Sample, clean_sample, sample, sample_clean
from lmcli.corpus.sources import resolve
from lmcli.progress import Silent

from .conftest import WriteFile


def take(root: Path, **limits: int) -> Sample:
    return sample(resolve(["c"], root), CleanConfig(), Silent(), **limits)


def fifty(write_file: WriteFile) -> None:
    for number in range(50):
        write_file(f"c/{number:02}.txt", f"{number:02}" * 50)  # 100 bytes


def test_a_small_corpus_is_its_own_sample(tmp_path: Path, write_file: WriteFile) -> None:
    fifty(write_file)
    found = take(tmp_path)
    assert [document.id for document in found.documents] == [f"c/{number:02}.txt" for number in range(50)]
    assert found.figures() == {
        "text_bytes": 5000, "files": 50, "cut": 0, "files_in_all": 50, "bytes_in_all": 5000, "complete": True,
    }  # fmt: skip


def test_files_are_chosen_by_the_seed_and_come_in_their_order(tmp_path: Path, write_file: WriteFile) -> None:
    fifty(write_file)
    found = take(tmp_path, limit=950)
    names = [document.id for document in found.documents]
    assert len(names) == 10 and names == sorted(names)
    assert names != [f"c/{number:02}.txt" for number in range(10)]
    assert (found.files, found.text_bytes, found.complete) == (10, 1000, False)
    assert [document.id for document in take(tmp_path, limit=950).documents] == names
    assert [document.id for document in take(tmp_path, limit=950, seed=1).documents] != names


def test_of_a_large_file_only_the_beginning_is_read(tmp_path: Path, write_file: WriteFile) -> None:
    rows = "".join(json.dumps({"text": f"{number:04}" * 25}) + "\n" for number in range(1000))
    write_file("c/a.jsonl", rows + "no json, and nobody reads as far")
    write_file("c/b.jsonl.gz", gzip.compress(rows.encode()))
    write_file("c/d.txt", "end")
    found = take(tmp_path, limit=1350, of_file=450)
    assert [item.id for item in found.documents] == [
        *(f"c/a.jsonl:{row}" for row in range(1, 6)), *(f"c/b.jsonl.gz:{row}" for row in range(1, 6)), "c/d.txt",
    ]  # fmt: skip
    assert (found.cut, found.files, found.complete) == (2, 3, False)


def test_a_long_text_that_is_cut_ends_where_it_is_cut(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("c/a.txt", "line\n" * 2_000_000)
    found = take(tmp_path, limit=1000)
    assert [(item.id, item.ends) for item in found.documents] == [("c/a.txt", True)]
    assert found.text_bytes < 5_000_000 and found.cut == 1


def test_of_few_files_each_gives_its_part(tmp_path: Path, write_file: WriteFile) -> None:
    rows = "".join(json.dumps({"text": "x" * 100}) + "\n" for _ in range(100))
    for name in "ab":
        write_file(f"c/{name}.jsonl", rows)
    names = [document.id.partition(":")[0] for document in take(tmp_path, limit=1000, of_file=1).documents]
    assert (names.count("c/a.jsonl"), names.count("c/b.jsonl")) == (5, 5)


def test_a_sample_of_which_nothing_is_left_is_a_result(tmp_path: Path, write_file: WriteFile) -> None:
    fifty(write_file)
    write_file("c/blank.txt", "  ")
    config = decode(CleanConfig, {"min_characters": 1000})
    found = take(tmp_path)
    (tmp_path / "out").mkdir()
    audit = clean_sample(found, config, chain_of(config, tmp_path), tmp_path / "out", workers=1)
    assert (audit.documents_in, audit.documents_kept, audit.dropped) == (51, 0, {"short": 50, "empty": 1})


@pytest.fixture
def cleaned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """2,000 documents of 100 bytes in about 200 row groups of 3 files."""
    monkeypatch.setattr("lmcli.corpus.parquet_files.ROW_GROUP", 1000)
    monkeypatch.setattr("lmcli.corpus.parquet_files.PART", 80_000)
    with RowWriter(tmp_path / "data", DOCUMENTS) as writer:
        for number in range(2000):
            writer.write((f"{number:04}", f"{number:04}" * 25, "", "en", number))
    return tmp_path


def test_all_of_a_small_corpus_is_sampled(cleaned: Path) -> None:
    found = sample_clean(cleaned, limit=10**9)
    assert len(found) >= 600  # the most row groups that are read
    assert found[0] == Document(found[0].id, found[0].id * 25, language="en")


def test_the_sample_of_a_corpus_comes_from_all_over_it(cleaned: Path) -> None:
    found = sample_clean(cleaned, limit=20_000)
    numbers = [int(document.id) for document in found]
    assert 120 < len(numbers) < 300 and numbers == sorted(numbers)
    assert all(any(start <= number < start + 400 for number in numbers) for start in range(0, 2000, 400))
    assert found == sample_clean(cleaned, limit=20_000)
    assert found != sample_clean(cleaned, limit=20_000, seed=1)
