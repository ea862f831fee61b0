from __future__ import annotations

import json
from pathlib import Path

import pytest

from lmcli.corpus import rejected
from lmcli.corpus.parquet_files import REJECTED, RowWriter
from lmcli.corpus.rejected import Rejected, page, reasons
from lmcli.errors import ArtifactError, UsageError

ROWS = [(f"d{n}", f"text {n}", ("quality.too_short", "duplicate.near", "quality_x")[n % 3]) for n in range(90)]


@pytest.fixture
def cleaned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A corpus with 90 dropped documents over many row groups and files."""
    monkeypatch.setattr("lmcli.corpus.parquet_files.ROW_GROUP", 50)
    monkeypatch.setattr("lmcli.corpus.parquet_files.PART", 200)
    with RowWriter(tmp_path / "rejected", REJECTED) as writer:
        for row in ROWS:
            writer.write(row)
    assert len(list((tmp_path / "rejected").iterdir())) > 2
    dropped = {"quality.too_short": 30, "duplicate.near": 30, "quality_x": 30, "row": 7}
    (tmp_path / "report.json").write_text(json.dumps({"dropped": dropped, "reading": {"dropped": {"row": 7}}}))
    return tmp_path


def wanted(*names: str) -> list[Rejected]:
    return [Rejected(identity, reason, text) for identity, text, reason in ROWS if reason in names]


@pytest.mark.parametrize(
    ("reason", "names"),
    [
        ("quality.too_short", ["quality.too_short"]),
        ("duplicate", ["duplicate.near"]),
        ("quality.too", ["quality.too_short"]),
        ("quality", ["quality.too_short", "quality_x"]),
        ("all", ["quality.too_short", "duplicate.near", "quality_x"]),
    ],
)
def test_pages_together_are_all_documents_in_order(cleaned: Path, reason: str, names: list[str]) -> None:
    expected = wanted(*names)
    pages = -(-len(expected) // 7)
    found = [page(cleaned, reason, number, 7) for number in range(1, pages + 1)]
    assert [item for part in found for item in part.documents] == expected
    assert {(part.pages, part.total) for part in found} == {(pages, len(expected))}
    assert [len(part.documents) for part in found[:-1]] == [7] * (pages - 1)


def test_what_never_became_a_text_is_no_reason(cleaned: Path) -> None:
    assert reasons(rejected.read_report(cleaned)) == {"quality.too_short": 30, "duplicate.near": 30, "quality_x": 30}
    with pytest.raises(UsageError):
        page(cleaned, "row")


@pytest.mark.parametrize("unknown", ["nope", "dup", "quality.tooth", "", "quality.too_short.x"])
def test_an_unknown_reason_names_those_that_are_there(cleaned: Path, unknown: str) -> None:
    with pytest.raises(UsageError, match="no document was dropped for") as caught:
        page(cleaned, unknown)
    assert caught.value.hint == "the reasons are: quality.too_short 30, duplicate.near 30, quality_x 30"


def test_a_page_too_far(cleaned: Path) -> None:
    with pytest.raises(UsageError, match="there is no page 4 of duplicate") as caught:
        page(cleaned, "duplicate", 4)
    assert caught.value.hint == "there are 30 documents on 3 pages"


def test_damage_is_named(cleaned: Path) -> None:
    file = min((cleaned / "rejected").iterdir())
    file.write_bytes(file.read_bytes()[:40])
    with pytest.raises(ArtifactError, match=r"part-00000.parquet is damaged"):
        page(cleaned, "all")
    (cleaned / "report.json").unlink()
    with pytest.raises(ArtifactError, match=r"report\.json can't be read"):
        page(cleaned, "all")
