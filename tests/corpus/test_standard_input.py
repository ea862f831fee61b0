from __future__ import annotations

import bz2
import errno
import gzip
import io
import lzma
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from lmcli.corpus.standard_input import keep
from lmcli.errors import InputError
from lmcli.project import durable
from tests.conftest import Lmcli
from tests.projects import lock, tree

ROWS = b'{"text": "one"}\n{"text": "two"}\n'

SUFFIXES: dict[str, tuple[bytes, str, str]] = {
    "text": (b"Once upon a time\n{}", "auto", ".txt"),
    "rows": (ROWS, "auto", ".jsonl"),
    "a long row": (b'{"text": "' + b"x" * (2 << 20) + b'"}', "auto", ".jsonl"),
    "a list is no row": (b"[1]\n", "auto", ".txt"),
    "broken rows": (b'{"text": \n', "auto", ".txt"),
    "nested": (b"[" * 100_000, "auto", ".txt"),
    "packed rows": (gzip.compress(ROWS), "auto", ".jsonl.gz"),
    "packed text": (bz2.compress(b"text"), "auto", ".txt.bz2"),
    "xz": (lzma.compress(b"text"), "auto", ".txt.xz"),
    "zstd": (zstandard.compress(ROWS), "auto", ".jsonl.zst"),
    "half a gzip file": (gzip.compress(ROWS)[:12], "auto", ".txt.gz"),
    "parquet": (b"PAR1...", "auto", ".parquet"),
    "a crawl": (b"WARC/1.0\r\n", "auto", ".warc"),
    "the user's word": (b"a,b\n", "csv", ".csv"),
    "the user's word, packed": (gzip.compress(b"a,b\n"), "csv", ".csv.gz"),
}


Pipe = Callable[[bytes], None]


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Pipe:
    """What commands find on standard input."""
    return lambda data: monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


@pytest.mark.parametrize(("data", "format", "suffix"), SUFFIXES.values(), ids=SUFFIXES)
def test_the_name_says_what_it_is(tmp_path: Path, data: bytes, format: str, suffix: str) -> None:
    taken: list[float] = []
    found = keep(io.BytesIO(data), tmp_path, format, taken.append)
    assert found.path.name.removeprefix("stdin-")[8:] == suffix
    assert found.path.read_bytes() == data
    assert found.bytes == sum(taken) == len(data)
    assert [path.name for path in tmp_path.iterdir()] == ["inputs"]


def test_the_same_bytes_are_one_file_and_an_edited_one_is_left_alone(tmp_path: Path) -> None:
    first = keep(io.BytesIO(b"abc"), tmp_path, "auto").path
    assert first.name == "stdin-ba7816bf.txt"
    assert keep(io.BytesIO(b"abc"), tmp_path, "auto").path == first
    first.write_bytes(b"edited")
    second = keep(io.BytesIO(b"abc"), tmp_path, "auto").path
    assert (second.name, first.read_bytes()) == ("stdin-ba7816bf8f01cfea.txt", b"edited")


def test_nothing_is_left_of_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="standard input is empty"):
        keep(io.BytesIO(b""), tmp_path, "auto")
    for failing in ("fsync", "mkdir", "replace"):

        def full(operation: str, path: Path, failing: str = failing) -> None:
            if operation == failing:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        monkeypatch.setattr(durable, "on_operation", full)
        with pytest.raises(OSError, match="No space"):
            keep(io.BytesIO(b"abc"), tmp_path, "auto")
        assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("command", ["clean", "tokenize"])
def test_a_command_reads_it_and_the_project_can_be_made_again(
    lmcli: Lmcli, folder: Path, pipe: Pipe, command: str
) -> None:
    lmcli("init")
    text = "".join(f"A line of text, number {number}.\n\n" for number in range(300))
    pipe(text.encode())
    ran = lmcli(command, "-")
    assert ran.code == 0, ran.err
    (kept,) = (folder / "inputs").iterdir()
    assert kept.read_text() == text
    assert f"is kept as inputs/{kept.name}" in ran.err
    entry = lock(folder)["clean" if command == "clean" else "tokens"]
    assert entry["overrides"]["project.inputs"]["value"] == [f"inputs/{kept.name}"]
    assert lmcli("run", "--locked", *lock(folder)).code == 0
    kept.write_text("Another text.")
    assert "changed" in lmcli("status").out


def test_a_dry_run_writes_nothing(lmcli: Lmcli, folder: Path, pipe: Pipe) -> None:
    lmcli("init")
    before = tree(folder)
    pipe(ROWS)
    ran = lmcli("clean", "-", "--dry-run", "--json")
    assert ran.code == 0, ran.err
    assert tree(folder) == before
    pipe(ROWS)
    assert lmcli("clean", "-", "-q").code == 0
    pipe(ROWS)
    assert lmcli("clean", "-", "--dry-run").code == 0


def test_a_terminal_nothing_and_no_project_are_errors(
    lmcli: Lmcli, folder: Path, pipe: Pipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipe(ROWS)
    assert lmcli("clean", "-").code == 3  # no project
    lmcli("init")
    pipe(b"")
    empty = lmcli("clean", "-")
    assert (empty.code, "standard input is empty" in empty.err) == (3, True)
    assert not (folder / "inputs").exists()
    pipe(ROWS)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    assert lmcli("clean", "-").code == 2
    monkeypatch.setattr(sys, "stdin", None)
    ran = lmcli("tokenize", "-")
    assert (ran.code, "cat FILE | lmcli" in ran.err) == (2, True)
    (folder / "lmcli.toml").write_text('[project]\ninputs = ["-"]\n[clean]\n')
    ran = lmcli("clean")
    assert (ran.code, "on the command line" in ran.err) == (3, True)
