from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.corpus.readers.json_values import _Values
from lmcli.errors import InputError

from ..conftest import Read, WriteFile

ROWS = st.lists(st.dictionaries(st.text(max_size=3), st.one_of(st.text(), st.integers(), st.none(), st.booleans())))


@given(ROWS, st.integers(1, 7), st.booleans())
@settings(deadline=None, max_examples=50)
def test_values_survive_any_chunking(rows: list[dict[str, object]], size: int, array: bool) -> None:
    text = json.dumps(rows, indent=1) if array else "\n".join(map(json.dumps, rows))
    chunks = iter([text[start : start + size] for start in range(0, len(text), size)])
    assert list(_Values(chunks)) == rows


def test_an_array_of_objects_gives_a_document_each(write_file: WriteFile, read_all: Read) -> None:
    write_file("a.json", json.dumps([{"text": "one", "n": 1.5}, {"text": "two"}], indent=2))
    assert [(document.id, document.text) for document in read_all("a.json")[0]] == [
        ("a.json:1", "one"),
        ("a.json:2", "two"),
    ]


@pytest.mark.parametrize("data", ['[{"text": "a"}', '[{"text": "a"}, {"te', '[{"text": "a"}] x', "[nonsense]", "{]"])
def test_broken_files_are_never_read_in_part(write_file: WriteFile, read_all: Read, data: str) -> None:
    write_file("a.json", data)
    with pytest.raises(InputError, match=r"a\.json: not JSON after value"):
        read_all("a.json")


def test_deep_nesting_is_an_error_of_the_file(write_file: WriteFile, read_all: Read) -> None:
    write_file("a.json", "[" + '{"a":' * 10_000 + "1" + "}" * 10_000 + "]")
    with pytest.raises(InputError, match="nested too deeply"):
        read_all("a.json")
