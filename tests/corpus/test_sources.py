from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

import pytest

from lmcli.corpus.sources import resolve
from lmcli.errors import InputError, UsageError

from .conftest import WriteFile


def labels(root: Path, *inputs: str) -> list[str]:
    return [source.label for source in resolve(inputs, root)]


def test_a_folder_gives_its_files_of_known_suffix_and_no_hidden_ones(tmp_path: Path, write_file: WriteFile) -> None:
    for name in ("c/a.txt", "c/b.jsonl.gz", "c/sub/d.MD", "c/image.png", "c/.hidden.txt", "c/.git/x.txt", "c/gz"):
        write_file(name, "x")
    found = resolve(["c/"], tmp_path)
    assert [(source.label, source.reader) for source in found] == [
        ("c/a.txt", "txt"),
        ("c/b.jsonl.gz", "jsonl"),
        ("c/sub/d.MD", "md"),
    ]
    assert found[0].path == tmp_path / "c" / "a.txt"


def test_a_named_file_is_read_whatever_its_suffix(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("notes.log", "x")
    assert resolve(["notes.log"], tmp_path)[0].reader == "txt"
    assert resolve(["*.log"], tmp_path)[0].reader == "txt"
    with pytest.raises(InputError, match=r"nothing matches \*"):
        resolve(["*"], tmp_path)


def test_order_is_by_bytes_and_nothing_comes_twice(tmp_path: Path, write_file: WriteFile) -> None:
    for name in ("c/b.txt", "c/B.txt", "c/é.txt", "c/a b.txt", "c/-x.txt", "c/z.txt"):
        write_file(name, "x")
    expected = ["c/-x.txt", "c/B.txt", "c/a b.txt", "c/b.txt", "c/z.txt", "c/é.txt"]
    assert labels(tmp_path, "c") == expected
    assert labels(tmp_path, "c/z.txt", "c/*.txt", "./c", str(tmp_path / "c")) == expected


def test_the_order_of_the_file_system_makes_no_difference(
    tmp_path: Path, write_file: WriteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("c/a.txt", "c/sub/b.txt", "c/sub/a.txt", "c/z.txt"):
        write_file(name, "x")
    expected = resolve(["c"], tmp_path)
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: contextlib.nullcontext(reversed(list(scandir(folder)))))
    assert resolve(["c"], tmp_path) == expected
    assert len(expected) == 4


def test_a_format_is_that_of_every_file(tmp_path: Path, write_file: WriteFile) -> None:
    for name in ("c/a.py", "c/Makefile", "c/b.jsonl", "c/.hidden", "c/sub/x.parquet.gz"):
        write_file(name, "x")
    found = resolve(["c"], tmp_path, "txt")
    assert [source.label for source in found] == ["c/Makefile", "c/a.py", "c/b.jsonl", "c/sub/x.parquet.gz"]
    assert {source.reader for source in found} == {"txt"}
    assert [source.reader for source in resolve(["c/*"], tmp_path, "csv")] == ["csv"] * 4
    assert [source.reader for source in resolve(["c/a.py"], tmp_path, "jsonl")] == ["jsonl"]


def test_globs_go_down_folders(tmp_path: Path, write_file: WriteFile) -> None:
    for name in ("c/a.txt", "c/x/b.txt", "c/x/y/d.txt", "e.txt"):
        write_file(name, "x")
    assert labels(tmp_path, "c/**/*.txt") == ["c/a.txt", "c/x/b.txt", "c/x/y/d.txt"]
    assert labels(tmp_path, "c/*") == ["c/a.txt", "c/x/b.txt", "c/x/y/d.txt"]


def test_a_file_whose_name_looks_like_a_glob_is_that_file(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("a[1].txt", "x")
    assert labels(tmp_path, "a[1].txt") == ["a[1].txt"]


def test_files_outside_of_the_project_have_absolute_labels(tmp_path: Path, write_file: WriteFile) -> None:
    path = write_file("a.txt", "x")
    (tmp_path / "project").mkdir()
    assert labels(tmp_path / "project", "../a.txt") == [path.as_posix()]


def test_a_name_that_is_no_utf8_can_be_shown(tmp_path: Path) -> None:
    with open(os.path.join(os.fsencode(tmp_path), b"\xff.txt"), "wb") as file:  # noqa: PTH118, PTH123
        file.write(b"x")
    found = resolve(["."], tmp_path)
    assert found[0].label == "\\xff.txt"
    assert found[0].path is not None
    assert found[0].path.read_bytes() == b"x"


def test_what_is_missing_is_named(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("empty/readme.rst", "x")
    with pytest.raises(UsageError):
        resolve([], tmp_path)
    with pytest.raises(InputError, match=r"there is no gone\.txt"):
        resolve(["gone.txt"], tmp_path)
    with pytest.raises(InputError, match=r"nothing matches gone/\*\.txt"):
        resolve(["gone/*.txt"], tmp_path)
    with pytest.raises(InputError, match="no file in empty has a known suffix") as caught:
        resolve(["empty"], tmp_path)
    assert "*.txt" in (caught.value.hint or "")


def test_what_is_no_regular_file_is_refused_and_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.txt")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "s.txt"))
        for name in ("pipe.txt", "s.txt", "/dev/zero"):
            with pytest.raises(InputError, match=f"{name} is no regular file"):
                resolve([name], tmp_path)
    with pytest.raises(InputError, match="is no regular file"):
        resolve(["."], tmp_path)


def test_links_that_lead_nowhere_or_in_circles_are_named(tmp_path: Path, write_file: WriteFile) -> None:
    (tmp_path / "dangling.txt").symlink_to("gone")
    with pytest.raises(InputError, match=r"dangling\.txt is a link to something that is gone"):
        resolve(["dangling.txt"], tmp_path)
    (tmp_path / "loop.txt").symlink_to("loop.txt")
    with pytest.raises(InputError, match=r"loop\.txt is a link that leads back to itself"):
        resolve(["loop.txt"], tmp_path)
    write_file("c/a.txt", "x")
    (tmp_path / "c" / "up").symlink_to(tmp_path / "c")
    with pytest.raises(InputError, match="up is a link to a folder that it lies in"):
        resolve(["c"], tmp_path)


def test_links_to_files_and_folders_are_followed(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("elsewhere/a.txt", "x")
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "folder").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "c" / "b.txt").symlink_to(tmp_path / "elsewhere" / "a.txt")
    assert labels(tmp_path, "c") == ["c/b.txt", "c/folder/a.txt"]


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_permission_is_checked(tmp_path: Path, write_file: WriteFile) -> None:
    write_file("a.txt", "x").chmod(0)
    with pytest.raises(InputError, match=r"can't read a\.txt: permission denied"):
        resolve(["a.txt"], tmp_path)


def test_archives_are_not_taken_for_text(tmp_path: Path, write_file: WriteFile) -> None:
    for name in ("a.zip", "a.tar.gz", "a.parquet.gz"):
        write_file(name, "x")
        with pytest.raises(InputError, match=name):
            resolve([name], tmp_path)


def test_inputs_that_are_no_files(tmp_path: Path) -> None:
    hub = resolve(["hf:owner/name:test"], tmp_path)[0]
    assert (hub.label, hub.path, hub.reader) == ("hf:owner/name:test", None, "hf")
    python = resolve(["pydoc:"], tmp_path)
    assert len(python) > 300
    assert all(source.path is not None and source.path.is_file() for source in python)
    assert {"pydoc:topics", "pydoc:json.decoder", "pydoc:json"} <= {source.label for source in python}
    assert not any("test" in source.label.split(".") for source in python)
    code = {source.label: source for source in resolve(["pydoc:code"], tmp_path)}
    assert code["pydoc:code:json.decoder"].reader == "txt"
    with pytest.raises(InputError, match="unknown input pydoc:signature"):
        resolve(["pydoc:signature"], tmp_path)
