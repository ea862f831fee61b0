"""Bad input ends in an exit code and a line that names the place, or in counts that add up; never in a traceback."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import socket
import tarfile
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lmcli.corpus import compression
from lmcli.corpus.documents import Document
from lmcli.corpus.parquet_files import read_documents
from tests.conftest import Lmcli, Ran
from tests.projects import lock, tree

GOOD = "A good line of text that any filter keeps.\n"
UTF16 = "Latin text, as Windows programs save it.\r\n"


@pytest.fixture
def project(lmcli: Lmcli, folder: Path) -> Path:
    lmcli("init")
    return folder


def refused(ran: Ran, *words: str, code: int = 3) -> None:
    """The command said in one line why it stops."""
    assert ran.code == code, ran.err
    for word in words:
        assert word in ran.err, ran.err
    assert "Traceback" not in ran.err
    assert ran.err.strip().splitlines()[-1].startswith("error: ")


def cleaned(root: Path) -> list[Document]:
    return list(read_documents(root / lock(root)["clean"]["path"] / "data"))


def report(root: Path) -> dict[str, Any]:
    """The account of `clean`, in which nothing may be missing."""
    found: dict[str, Any] = lock(root)["clean"]["report"]
    assert found["documents_in"] == found["documents_kept"] + sum(found["dropped"].values())
    assert found["documents_kept"] == len(cleaned(root))
    return found


@contextlib.contextmanager
def quick(seconds: float = 2) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


EMPTY = {
    "an empty file": {"a.txt": b""},
    "blank files": {"a.txt": b" \n\t\r\n", "b.md": "\u3000\u2028".encode()},
    "a byte-order mark and nothing else": {"a.txt": b"\xef\xbb\xbf", "b.txt": b"\xff\xfe"},
    "an empty archive": {"a.txt.gz": gzip.compress(b"")},
    "rows without text": {"a.jsonl": b'{"text": ""}\n\n', "b.csv": b"text\n"},
    "a folder of other files": {"a.png": b"x", ".hidden.txt": GOOD.encode()},
}


@pytest.mark.parametrize("files", EMPTY.values(), ids=EMPTY)
@pytest.mark.parametrize("command", ["clean", "tokenize"])
def test_nothing_to_read(lmcli: Lmcli, project: Path, files: dict[str, bytes], command: str) -> None:
    for name, data in files.items():
        (project / "corpus" / name).write_bytes(data)
    refused(lmcli(command, "corpus/"))
    assert lock(project) == {}
    assert lmcli("verify").code == 0


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("gone.txt", "there is no gone.txt"),
        ("corpus/*.csv", "nothing matches corpus/*.csv"),
        ("corpus", "no file in corpus has a known suffix"),
    ],
)
def test_what_is_not_there_is_named(lmcli: Lmcli, project: Path, given: str, words: str) -> None:
    before = tree(project)
    refused(lmcli("clean", given), words)
    assert tree(project) == before


BYTES = {
    "latin-1": (f"naïve café\n{GOOD}".encode("latin-1"), "corpus/a.txt:2: not valid utf-8 at byte offset 45"),
    "cp1252": (b"it\x92s\n" + GOOD.encode(), "corpus/a.txt:2: not valid utf-8 at byte offset 45"),
    "a character cut off by the end": ("好".encode()[:-1], "corpus/a.txt:2: not valid utf-8 at byte offset 43"),
}


@pytest.mark.parametrize(("data", "words"), BYTES.values(), ids=BYTES)
def test_bytes_that_are_no_text(lmcli: Lmcli, project: Path, data: bytes, words: str) -> None:
    (project / "corpus" / "a.txt").write_bytes(GOOD.encode() + data)
    (project / "corpus" / "b.txt").write_text("Another file that is good text.")
    refused(lmcli("clean"), words, "--encoding")
    assert lmcli("clean", "--encoding-errors", "replace").code == 0
    assert cleaned(project)[0].text == (GOOD.encode() + data).decode("utf-8", "replace").strip()
    assert report(project)["reading"]["replaced"] >= 1
    assert lmcli("clean", "--encoding-errors", "drop").code == 0
    assert report(project)["dropped"] == {"encoding": 1}
    assert lmcli("clean", "--encoding", "cp1252", "--encoding-errors", "strict").code == 0


@given(st.lists(st.one_of(st.text(max_size=9), st.binary(max_size=5)), min_size=1, max_size=9))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_line_after_a_bad_one_is_lost(read_all: Any, tmp_path: Path, parts: list[str | bytes]) -> None:
    """jsonl rows with any bytes in them: all are kept, or dropped and counted; those that are good always stay."""
    bodies = [part if isinstance(part, bytes) else part.encode() for part in parts]
    strip = bytes(range(32)) + b'"\\'
    lines = [b'{"text": "' + body.translate(None, strip) + b'."}' for body in bodies]
    good = [line for line in lines if _is_utf8(line)]
    (tmp_path / "a.jsonl").write_bytes(b"\n".join(lines))
    documents, tally = read_all("a.jsonl", encoding="utf-8", encoding_errors="drop")
    assert [document.text for document in documents] == [json.loads(line)["text"] for line in good]
    assert len(documents) + tally.dropped.total() == len(lines)


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("order", ["le", "be"])
def test_utf16_with_and_without_a_mark(lmcli: Lmcli, project: Path, order: str) -> None:
    path = project / "corpus" / "a.txt"
    path.write_bytes(UTF16.encode(f"utf-16-{order}"))
    refused(lmcli("clean"), "corpus/a.txt looks like UTF-16", f"--encoding utf-16-{order}")
    path.write_bytes(f"\ufeff{UTF16}".encode(f"utf-16-{order}"))
    assert lmcli("clean").code == 0
    assert cleaned(project)[0].text == UTF16.strip()
    assert report(project)["reading"]["encodings"] == {f"utf-16-{order}": 1}


def test_line_ends_make_no_difference_and_other_separators_end_no_row(lmcli: Lmcli, project: Path) -> None:
    found = []
    for end in ("\n", "\r\n"):
        (project / "corpus" / "a.txt").write_bytes(f"one{end}two{end}{end}three".encode())
        (project / "corpus" / "b.jsonl").write_bytes(f'{{"text": "a\u2028b"}}{end}{{"text": "c"}}{end}'.encode())
        assert lmcli("clean").code == 0
        found.append([(document.id, document.text) for document in cleaned(project)])
    assert found[0] == found[1]
    assert [name for name, _ in found[0]] == ["corpus/a.txt", "corpus/b.jsonl:1", "corpus/b.jsonl:2"]


def test_control_characters_and_half_characters_reach_the_tokens(lmcli: Lmcli, project: Path) -> None:
    rows = [{"text": f"line {number} \x00 \x1b[2J \ud800 {chr(0xDC00 + number)} end"} for number in range(300)]
    (project / "corpus" / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert lmcli("tokenize", "--workers", 1).code == 0
    assert lmcli("clean").code == 0
    assert report(project)["reading"]["surrogates"] == 600


ROWS = {
    "broken": ('{"text": ', "not JSON"),
    "no text": ('{"n": 1}', "no key text or content"),
    "null": ('{"text": null}', "text is null, not a string"),
    "a number": ('{"text": 3}', "text is a int, not a string"),
    "a list": ('{"text": ["x"]}', "text is a list, not a string"),
    "a key twice": ('{"text": "a", "text": "b"}', "a key stands twice"),
    "not a number": ('{"text": "a", "n": NaN}', "NaN is no JSON"),
    "deep": ('{"text": ' + "[" * 10_000 + "]" * 10_000 + "}", "nested too deeply"),
    "two on a line": ('{"text": "a"} {"text": "b"}', "not JSON: Extra data"),
    "a conversation": ('{"messages": [{"role": "user", "content": "x"}]}', "--render chat"),
}


@pytest.mark.parametrize(("line", "words"), ROWS.values(), ids=ROWS)
def test_bad_rows_are_named_and_tolerated_up_to_a_share(lmcli: Lmcli, project: Path, line: str, words: str) -> None:
    rows = [json.dumps({"text": f"row {number} is good"}) for number in range(99)]
    (project / "corpus" / "a.jsonl").write_text("\n".join([*rows[:50], line, *rows[50:]]))
    refused(lmcli("clean"), "corpus/a.jsonl:51: ", "1 of 100 rows are bad", words)
    refused(lmcli("tokenize", "--max-bad-rows", 0.009), "corpus/a.jsonl:51: ")
    assert lmcli("clean", "--max-bad-rows", 0.01).code == 0
    assert report(project)["dropped"] == {"row": 1}
    assert len(cleaned(project)) == 99


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_an_archive_cut_anywhere_is_refused(lmcli: Lmcli, project: Path, suffix: str) -> None:
    text = "".join(f"Line {number} of a text.\n" for number in range(20_000)).encode()
    packed = gzip.compress(text) if suffix == "gz" else zstandard.compress(text)
    path = project / "corpus" / f"a.txt.{suffix}"
    for sixteenths in range(1, 16):
        path.write_bytes(packed[: len(packed) * sixteenths // 16])
        refused(lmcli("clean"), f"a.txt.{suffix}")
    path.write_bytes(packed + b"garbage")
    refused(lmcli("clean"), f"a.txt.{suffix}", "can't be unpacked")
    path.write_bytes(text)
    refused(lmcli("clean"), f"a.txt.{suffix}", "can't be unpacked")
    assert lock(project) == {}


def test_a_bomb_is_refused(lmcli: Lmcli, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "BOMB_FLOOR", 8 << 20)
    compressor = zstandard.ZstdCompressor(level=1).compressobj()
    with (project / "corpus" / "a.txt.zst").open("wb") as file:
        for _ in range(1_000):
            file.write(compressor.compress(bytes(1 << 20)))
        file.write(compressor.flush())
    with quick(5):
        refused(lmcli("clean", "--workers", 1), "a.txt.zst unpacks to an unreasonable size")
    assert list(project.glob("artifacts/clean/*")) == []
    assert lock(project) == {}


def hostile_tar() -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, kind, target in [
            ("../outside.txt", tarfile.REGTYPE, ""),
            ("/tmp/lmcli-absolute.txt", tarfile.REGTYPE, ""),
            ("link.txt", tarfile.SYMTYPE, "/etc/passwd"),
            ("hard.txt", tarfile.LNKTYPE, "/etc/passwd"),
            ("device.txt", tarfile.CHRTYPE, ""),
            ("same.txt", tarfile.REGTYPE, ""),
            ("SAME.txt", tarfile.REGTYPE, ""),
        ]:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size = kind, target, 4 * (kind == tarfile.REGTYPE)
            archive.addfile(member, io.BytesIO(b"text"))
    return file.getvalue()


def hostile_zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in ("../outside.txt", "/tmp/lmcli-absolute.txt", "good.txt"):
            archive.writestr(name, "text")
    return file.getvalue()


ARCHIVES = {
    "a.tar": hostile_tar(),
    "a.tar.gz": gzip.compress(hostile_tar()),
    "a.zip": hostile_zip(),
    "a tar with the name of a text.txt": hostile_tar(),
    "a packed tar with the name of a text.txt.gz": gzip.compress(hostile_tar()),
    "a zip with the name of rows.jsonl": hostile_zip(),
    "gzip with the name of a text.txt": gzip.compress(GOOD.encode() * 100),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_archives_are_refused_under_any_name(lmcli: Lmcli, tmp_path: Path, monkeypatch: Any, name: str) -> None:
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    lmcli("init")
    (root / name).write_bytes(ARCHIVES[name])
    outside = sorted(path.name for path in tmp_path.iterdir())
    refused(lmcli("clean", name), name)
    assert sorted(path.name for path in tmp_path.iterdir()) == outside
    assert not Path("/tmp/lmcli-absolute.txt").exists()
    assert lock(root) == {}


def test_what_is_no_file_is_never_waited_for(lmcli: Lmcli, project: Path) -> None:
    os.mkfifo(project / "pipe.txt")
    (project / "loop.txt").symlink_to("loop.txt")
    (project / "dangling.txt").symlink_to("gone")
    (project / "around").mkdir()
    (project / "around" / "up").symlink_to(project / "around")
    (project / "zero.txt").symlink_to("/dev/zero")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.txt")
        for name in ("pipe.txt", "loop.txt", "dangling.txt", "around", "zero.txt", "/dev/zero", "socket.txt"):
            with quick():
                refused(lmcli("clean", name), Path(name).name)
    assert lock(project) == {}


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read(lmcli: Lmcli, project: Path) -> None:
    (project / "corpus" / "a.txt").write_text(GOOD)
    (project / "corpus" / "a.txt").chmod(0)
    refused(lmcli("clean"), "corpus/a.txt", "permission")


@pytest.mark.parametrize("name", ["a.txt", "a.jsonl"])
def test_a_file_that_grows_while_it_is_read(lmcli: Lmcli, project: Path, name: str) -> None:
    line = GOOD if name.endswith("txt") else json.dumps({"text": GOOD}) + "\n"
    path = project / "corpus" / name
    path.write_text(line * 20_000)
    done = threading.Event()

    def append() -> None:
        with path.open("a") as file:
            while not done.wait(0.001):
                file.write(line)
                file.flush()

    writer = threading.Thread(target=append)
    writer.start()
    try:
        refused(lmcli("clean", "--workers", 1), f"corpus/{name}", "changed while it was read")
    finally:
        done.set()
        writer.join()
    assert lock(project) == {}
    assert lmcli("clean").code == 0


NAMES = {
    "spaces": b"a b  c.txt",
    "a newline": b"a\nb.txt",
    "a leading dash": b"-q.txt",
    "bytes that are no UTF-8": b"\xff\xfe.txt",
    "those bytes written out": b"\\xff\\xfe.txt",
    "a composed accent": "é.txt".encode(),
    "an accent on its own": "e\u0301.txt".encode(),
    "as long as names get": b"x" * 251 + b".txt",
    "an escape sequence": b"\x1b[2J.txt",
}


def test_names_in_any_bytes_are_all_read_and_told_apart(lmcli: Lmcli, project: Path) -> None:
    for number, name in enumerate(NAMES.values()):
        with open(os.path.join(os.fsencode(project / "corpus"), name), "w") as file:  # noqa: PTH118, PTH123
            file.write(f"Text of file number {number}.")
    assert lmcli("clean").code == 0
    found = cleaned(project)
    assert sorted(document.text for document in found) == [f"Text of file number {n}." for n in range(len(NAMES))]
    ids = [document.id for document in found]
    assert len(set(ids)) == len(NAMES)
    assert ids == sorted(ids, key=str.encode)
    assert all(name.isprintable() for name in ids)
    listing = next((project / "artifacts" / "sources").glob("*/files.jsonl")).read_text().splitlines()
    assert [json.loads(line)[0] for line in listing] == ids
    assert lmcli("status").code == 0
    assert lmcli("run", "--locked", "clean").code == 0


@pytest.mark.parametrize("name", ["a b  c.txt", "a\nb.txt", "-q.txt", "é.txt", "e\u0301.txt", "x" * 251 + ".txt"])
def test_a_strange_name_can_be_given(lmcli: Lmcli, project: Path, name: str) -> None:
    (project / name).write_text(GOOD)
    assert lmcli("clean", "--", name).code == 0
    assert lmcli("run", "--locked", "clean").code == 0


def test_names_that_can_not_be_given_say_what_to_do(lmcli: Lmcli, project: Path) -> None:
    refused(lmcli("clean", "corpus/\udcff.txt"), "corpus/\\xff.txt", "name its folder")
    (project / "e\u0301.txt").write_text(GOOD)
    refused(lmcli("clean", "\u00e9.txt"), "another Unicode form")
    refused(lmcli("clean", "x" * 300), "there is no xxx")
    assert lmcli("clean", "-q.txt").code == 2


def test_special_tokens_in_a_text_end_no_document(lmcli: Lmcli, project: Path) -> None:
    import numpy as np

    text = "".join(f"Line {number} <|endoftext|> of <|im_start|> text <|pad|>.\n\n" for number in range(400))
    rows = "\n".join(json.dumps({"text": f"{number} {text}"}) for number in range(3))
    (project / "corpus" / "a.jsonl").write_text(rows)
    assert lmcli("tokenize", "--workers", 1).code == 0
    entry = lock(project)["tokens"]
    tokenizer = json.loads((project / lock(project)["tokenizer"]["path"] / "tokenizer.json").read_text())
    end = next(token["id"] for token in tokenizer["added_tokens"] if token["content"] == "<|endoftext|>")
    shards = sorted((project / entry["path"]).rglob("*.bin"))
    ids = np.concatenate([np.fromfile(path, dtype=np.uint16) for path in shards])
    documents = sum(side["documents"] for side in entry["report"]["sides"].values())
    assert np.count_nonzero(ids == end) == documents
