from __future__ import annotations

from pathlib import Path

import pytest

from lmcli.errors import ConfigError, MachineError
from lmcli.project import document


def read(tmp_path: Path, data: str | bytes) -> document.Document:
    path = tmp_path / "lmcli.toml"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return document.read(path)


TEXT = """\
# a comment = 1
[train]
seed = 3
optimizer = { name = "muon", lr = 0.1 }

[ train . schedule ]
  warmup = 10
"name" = "wsd"

[eval.quality]
gates = [
  "bpb<2",
]
"""


@pytest.mark.parametrize(
    ("key", "value", "place"),
    [
        ("train.seed", 3, "lmcli.toml:3"),
        ("train.optimizer.lr", 0.1, "lmcli.toml:4"),
        ("train.schedule.warmup", 10, "lmcli.toml:7"),
        ("train.schedule.name", "wsd", "lmcli.toml:8"),
        ("train.schedule.missing", None, "lmcli.toml:6"),
        ("eval.quality.gates", ["bpb<2"], "lmcli.toml:11"),
        ("eval.other.gates", None, "lmcli.toml"),
        ("train.seed.deeper", None, "lmcli.toml:3"),
    ],
)
def test_values_and_their_places(tmp_path: Path, key: str, value: object, place: str) -> None:
    found = read(tmp_path, TEXT)
    assert found.get(key) == value
    assert found.place(key) == place


@pytest.mark.parametrize("data", [TEXT.replace("\n", "\r\n"), b"\xef\xbb\xbf" + TEXT.encode()], ids=["CRLF", "BOM"])
def test_windows_line_ends_and_a_byte_order_mark_change_nothing(tmp_path: Path, data: str | bytes) -> None:
    plain, other = read(tmp_path, TEXT), read(tmp_path, data)
    assert (plain.tables, plain.lines) == (other.tables, other.lines)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"a = 1\nb = \n", r"lmcli\.toml:2: Invalid value \(at line 2, column 5\)"),
        (b"a = 1\na = 2\n", r"lmcli\.toml:2: Cannot overwrite a value"),
        (b"[a]\n[a]\n", r"lmcli\.toml:2: Cannot declare"),
        (b"a = 1\n\xff\n", r"lmcli\.toml:2: not UTF-8 \(byte 6\)"),
        (b"a = " + b"9" * 5000, r"lmcli\.toml: Exceeds the limit"),
        (b"a = " + b"[" * 100_000, r"lmcli\.toml: .*recursion"),
        (b'a = "x\n', r"lmcli\.toml:1: Illegal character"),
        (b"#" * (document.LIMIT + 1), r"lmcli\.toml is 1,048,577 bytes long; the limit is 1,048,576"),
    ],
    ids=["no value", "same key", "same table", "not UTF-8", "long number", "deep", "open string", "too long"],
)
def test_what_is_no_toml_is_refused_with_its_place(tmp_path: Path, data: bytes, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(tmp_path, data)


def test_a_value_where_a_table_belongs_is_refused_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"lmcli\.toml:1: train must be a table") as caught:
        read(tmp_path, "train = 3\n").table("train")
    assert caught.value.hint == "write [train] on its own line"


def test_a_file_that_cannot_be_read_is_an_error_of_the_machine(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"Is a directory"):
        document.read(tmp_path)
