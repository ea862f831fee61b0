from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from lmcli.errors import InputError
from lmcli.evaluation.config import EvalConfig
from lmcli.evaluation.files import compare_files, lines


def saved(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"a\nb\n", ["a", "b"]),
        (b"a\nb", ["a", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"a\n\nb\n", ["a", "", "b"]),
        (b"\n", [""]),
        (b"", []),
        ("a\u2028b\x0bc\x85d\rb\n".encode(), ["a\u2028b\x0bc\x85d\rb"]),
        (b"\xef\xbb\xbfa\n", ["a"]),
        ("\ufeff好\n".encode("utf-16-le"), ["好"]),
    ],
)
def test_lines_end_at_a_newline_only(tmp_path: Path, data: bytes, expected: list[str]) -> None:
    assert lines(saved(tmp_path / "a.txt", data), EvalConfig()) == expected


def test_a_legacy_encoding_can_be_named(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.txt", "今天\n你好\n".encode("gb18030"))
    assert lines(path, EvalConfig(encoding="gb18030")) == ["今天", "你好"]


@pytest.mark.parametrize("errors", ["replace", "drop"])
def test_bytes_that_are_no_text_never_move_the_lines_below(tmp_path: Path, errors: str) -> None:
    path = saved(tmp_path / "a.txt", b"a\n\xff\nb\n")
    config = EvalConfig(encoding="utf-8", encoding_errors=errors)  # type: ignore[arg-type]
    assert lines(path, config) == ["a", "\ufffd", "b"]
    with pytest.raises(InputError, match="byte offset 2"):
        lines(path, EvalConfig(encoding="utf-8"))


def test_compressed_files_are_read(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.txt.gz", gzip.compress(b"a\nb\n"))
    assert lines(path, EvalConfig()) == ["a", "b"]


def test_scores_line_by_line(tmp_path: Path) -> None:
    predictions = saved(tmp_path / "p.txt", b"the cat sat on the mat\r\nno\r\n")
    references = saved(tmp_path / "r.txt", b"the cat sat on the mat\nyes\n")
    results = compare_files(predictions, references, EvalConfig())
    assert results.figures["exact"] == 0.5
    assert results.figures["rouge1"] == 0.5
    assert 0 < results.figures["bleu"] < 100
    assert results.counts == {"rows": 2}


def test_different_numbers_of_lines_are_named(tmp_path: Path) -> None:
    predictions, references = saved(tmp_path / "p.txt", b"a\nb\n"), saved(tmp_path / "r.txt", b"a\n")
    with pytest.raises(InputError, match=r"p\.txt has 2 lines and .*r\.txt has 1"):
        compare_files(predictions, references, EvalConfig())


def test_missing_and_empty_files_are_input_errors(tmp_path: Path) -> None:
    empty = saved(tmp_path / "empty.txt", b"")
    with pytest.raises(InputError, match=r"missing\.txt"):
        compare_files(tmp_path / "missing.txt", empty, EvalConfig())
    with pytest.raises(InputError, match="nothing to compare"):
        compare_files(empty, empty, EvalConfig())
