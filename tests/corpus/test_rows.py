from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lmcli.corpus.config import ReadingConfig
from lmcli.corpus.rows import Row, held_out, read_rows
from lmcli.corpus.sources import resolve
from lmcli.corpus.tally import Tally
from lmcli.errors import InputError
from lmcli.progress import Silent

from .conftest import WriteFile


def rows(root: Path, *inputs: str, **settings: Any) -> tuple[list[Row], Tally]:
    tally = Tally()
    return list(read_rows(resolve(inputs, root), ReadingConfig(**settings), Silent(), tally)), tally


def test_prompts_with_completions_and_plain_texts(tmp_path: Path, write_file: WriteFile) -> None:
    lines = [{"prompt": "2+2=", "completion": "4", "more": 1}, {"text": "plain"}, {"prompt": "", "completion": "c"}]
    write_file("a.jsonl", "\n".join(map(json.dumps, lines)))
    assert rows(tmp_path, "a.jsonl")[0] == [
        Row("a.jsonl:1", "2+2=", "4"),
        Row("a.jsonl:2", "", "plain"),
        Row("a.jsonl:3", "", "c"),
    ]


def test_rows_in_columns(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("a.csv", "prompt,completion,x\np,c,1\n")
    pq.write_table(pa.table({"completion": ["C"], "prompt": ["P"], "x": [1]}), tmp_path / "b.parquet")
    assert rows(tmp_path, "a.csv", "b.parquet")[0] == [Row("a.csv:2", "p", "c"), Row("b.parquet:1", "P", "C")]


@pytest.mark.parametrize("line", ['{"prompt": "p"}', '{"completion": "c"}', '{"prompt": 1, "completion": "c"}', "{}"])
def test_incomplete_rows_are_named(tmp_path: Path, write_file: WriteFile, line: str) -> None:
    write_file("a.jsonl", line)
    with pytest.raises(InputError, match=r"^a\.jsonl:1: "):
        rows(tmp_path, "a.jsonl")


def test_empty_completions_are_handed_on_to_be_counted(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("a.jsonl", '{"prompt": "p", "completion": ""}\n{"text": "x"}')
    found, tally = rows(tmp_path, "a.jsonl")
    assert [row.completion for row in found] == ["", "x"]
    assert (tally.documents, tally.dropped) == (2, {})


def test_a_row_with_two_undecodable_texts_is_dropped_once(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("a.jsonl", b'{"prompt": "a\xff", "completion": "b\xff"}\n{"prompt": "p", "completion": "c"}\n')
    found, tally = rows(tmp_path, "a.jsonl", encoding="utf-8", encoding_errors="drop")
    assert found == [Row("a.jsonl:2", "p", "c")]
    assert tally.dropped == {"encoding": 1}


def test_files_without_rows_are_refused(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("a.txt", "text")
    with pytest.raises(InputError, match=r"a\.txt has no rows"):
        rows(tmp_path, "a.txt")


@pytest.mark.slow
def test_signatures_of_the_library(tmp_path: Path) -> None:
    found, _ = rows(tmp_path, "pydoc:signatures")
    assert len(found) > 4_000
    assert len({row.id for row in found}) > 0.95 * len(found)
    assert all(row.prompt.startswith("def ") and row.prompt.endswith("):\n") and row.completion for row in found)
    assert found == rows(tmp_path, "pydoc:signatures")[0]


def test_signatures_of_a_module(tmp_path: Path) -> None:
    sources = [source for source in resolve(["pydoc:signatures"], tmp_path) if source.label == "pydoc:json"]
    found = list(read_rows(sources, ReadingConfig(), Silent(), Tally()))
    assert found[0].id == "pydoc:json:dump"
    assert found[0].prompt.startswith("def dump(obj, fp, *, ")
    assert found[0].prompt.endswith("):\n")
    assert found[0].completion.endswith(".")


def test_one_prompt_is_on_one_side_and_the_share_is_kept() -> None:
    many = [Row(str(number), f"prompt {number}", "x") for number in range(4_000)]
    share = sum(held_out(row, 0.1) for row in many) / len(many)
    assert 0.08 < share < 0.12
    assert all(held_out(row, 0.1) == held_out(Row("other", row.prompt, "y"), 0.1) for row in many)
    assert all(held_out(row, 0.3) for row in many if held_out(row, 0.1))
    texts = [Row("", "", f"text {number}") for number in range(1_000)]
    assert 0 < sum(held_out(row, 0.1) for row in texts) < 1_000
    assert not any(held_out(row, 0.0) for row in many)
    assert all(held_out(row, 1.0) for row in many)
