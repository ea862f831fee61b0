from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from lmcli.corpus.config import ReadingConfig
from lmcli.corpus.rendering import NotRenderedError, is_chat, render
from lmcli.corpus.rows import Row, read_rows
from lmcli.corpus.sources import resolve
from lmcli.corpus.tally import Tally
from lmcli.errors import InputError
from lmcli.progress import Silent

from .conftest import Read, WriteFile

ASKED = {"role": "user", "content": "Two and two?"}
ANSWERED = {"role": "assistant", "content": "Four."}
TEXT = "User: Two and two?\n\nAssistant: Four."

ROWS: dict[str, tuple[dict[str, Any], str]] = {
    "messages": ({"messages": [ASKED, ANSWERED]}, TEXT),
    "a system message": (
        {"messages": [{"role": "system", "content": "Be brief."}, ASKED]},
        "System: Be brief.\n\nUser: Two and two?",
    ),
    "parts": ({"messages": [{**ASKED, "content": [{"type": "text", "text": "Two and two?"}]}, ANSWERED]}, TEXT),
    "ShareGPT": (
        {"conversations": [{"from": "human", "value": "Two and two?"}, {"from": "gpt", "value": "Four."}]},
        TEXT,
    ),
    "a tool": ({"messages": [{"role": "tool", "content": "4"}, ANSWERED]}, "Tool: 4\n\nAssistant: Four."),
    "instruction": ({"instruction": "Two and two?", "input": "", "output": "Four."}, TEXT),
    "instruction with input": (
        {"instruction": "Add.", "input": "2 2", "output": "4"},
        "User: Add.\n\n2 2\n\nAssistant: 4",
    ),
    "response": ({"instruction": "Two and two?", "context": None, "response": "Four."}, TEXT),
    "question": ({"question": "Two and two?", "answer": "Four."}, TEXT),
    "prompt": ({"prompt": "2+2=", "completion": "4"}, "2+2=4"),
    "prompt of messages": ({"prompt": [ASKED], "completion": [ANSWERED]}, TEXT),
}

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no list": ({"messages": "hello"}, "messages is no list of messages"),
    "empty": ({"messages": []}, "messages is no list of messages"),
    "no object": ({"messages": ["hello"]}, "messages[0] is no object with role and content"),
    "no role": ({"messages": [{"content": "x"}]}, "messages[0].from is null, not a string"),
    "null": (
        {"messages": [ASKED, {"role": "assistant", "content": None}]},
        "messages[1].content is null, not a string",
    ),
    "a picture": (
        {"messages": [{"role": "user", "content": [{"type": "image"}]}]},
        "messages[0].content has a part that is no text",
    ),
    "half of a pair": ({"prompt": "x", "completion": None}, "prompt is no list of messages"),
    "a number": ({"instruction": "x", "output": 3}, "output is a int, not a string"),
}


@pytest.mark.parametrize(("row", "text"), ROWS.values(), ids=ROWS)
def test_each_shape_is_a_text(row: dict[str, Any], text: str) -> None:
    assert is_chat(row)
    assert "".join(render(row)) == text


@pytest.mark.parametrize(("row", "reason"), BAD.values(), ids=BAD)
def test_what_is_wrong_with_a_row_is_said(row: dict[str, Any], reason: str) -> None:
    with pytest.raises(NotRenderedError) as caught:
        render(row)
    assert str(caught.value) == reason


def test_rows_become_documents_when_asked_and_else_the_flag_is_named(write_file: WriteFile, read_all: Read) -> None:
    for number, (row, text) in enumerate(ROWS.values()):
        write_file(f"{number}.jsonl", json.dumps(row))
        with pytest.raises(InputError, match=f"^{number}.jsonl:1: no key text") as caught:
            read_all(f"{number}.jsonl")
        assert "--render chat" in (caught.value.hint or "")
        assert [document.text for document in read_all(f"{number}.jsonl", render="chat")[0]] == [text]


def test_columns_become_documents_too(tmp_path: Path, write_file: WriteFile, read_all: Read) -> None:
    pq.write_table(pa.table({"id": [1], "messages": [[ASKED, ANSWERED]]}), tmp_path / "a.parquet")
    write_file("b.csv", "instruction,output\nTwo and two?,Four.\n")
    for name in ("a.parquet", "b.csv"):
        with pytest.raises(InputError, match="no column text or content") as caught:
            read_all(name)
        assert "--render chat" in (caught.value.hint or "")
        assert [document.text for document in read_all(name, render="chat")[0]] == [TEXT]


def test_rows_with_a_text_stay_that_text(write_file: WriteFile, read_all: Read) -> None:
    write_file("a.jsonl", json.dumps({"text": "plain"}) + "\n" + json.dumps({"mine": "m", **ROWS["messages"][0]}))
    assert [document.text for document in read_all("a.jsonl", render="chat")[0]] == ["plain", TEXT]
    assert [d.text for d in read_all("a.jsonl", render="chat", text_key="mine", max_bad_rows=0.5)[0]] == ["m"]


def test_a_bad_conversation_is_a_bad_row(write_file: WriteFile, read_all: Read) -> None:
    lines = [ROWS["messages"][0], BAD["null"][0]]
    write_file("a.jsonl", "\n".join(map(json.dumps, lines)))
    with pytest.raises(InputError, match=r"^a\.jsonl:2: messages\[1\]\.content is null"):
        read_all("a.jsonl", render="chat")
    documents, tally = read_all("a.jsonl", render="chat", max_bad_rows=0.5)
    assert (len(documents), tally.dropped) == (1, {"row": 1})


def test_fine_tuning_learns_the_last_answer(tmp_path: Path, write_file: WriteFile) -> None:
    lines = [ROWS["messages"][0], {"messages": [ASKED, ANSWERED, ASKED]}, {"text": "plain"}, ROWS["prompt"][0]]
    write_file("a.jsonl", "\n".join(map(json.dumps, lines)))
    found = read_rows(resolve(["a.jsonl"], tmp_path), ReadingConfig(render="chat"), Silent(), Tally())
    assert list(found) == [
        Row("a.jsonl:1", "User: Two and two?\n\nAssistant: ", "Four."),
        Row("a.jsonl:2", "", f"{TEXT}\n\nUser: Two and two?"),
        Row("a.jsonl:3", "", "plain"),
        Row("a.jsonl:4", "2+2=", "4"),
    ]
