from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lmcli.cli import audit
from tests import projects
from tests.conftest import Lmcli
from tests.texts import sentences

SHORT = ("--set", "clean.min_characters=100")


@pytest.fixture
def project(lmcli: Lmcli, folder: Path) -> Path:
    """25 texts, 12 short ones, a copy of one of the texts, a blank file, and something Chinese."""
    corpus = folder / "corpus"
    corpus.mkdir()
    for number in range(25):
        (corpus / f"a{number:02}.txt").write_text(sentences(20, number))
    for number in range(12):
        (corpus / f"s{number:02}.txt").write_text(f"Too short, number {number}.\nOn two lines.")
    (corpus / "t.txt").write_text(sentences(20, 3) + "\n\n")
    (corpus / "blank.txt").write_text(" \n")
    (corpus / "zh.txt").write_text("今天天气很好，我们去公园散步。" * 10)
    assert lmcli("init").code == 0
    return folder


@pytest.fixture
def cleaned(lmcli: Lmcli, project: Path) -> Path:
    assert lmcli("clean", *SHORT).code == 0
    return project


def test_a_dry_run_cleans_a_sample_and_writes_nothing(lmcli: Lmcli, project: Path) -> None:
    before = projects.tree(project)
    ran = lmcli("clean", "--dry-run", *SHORT, "--workers", 1)
    assert ran.code == 0, ran.err
    assert projects.tree(project) == before
    lines = ran.out.splitlines()
    assert lines[0] == "would make clean: never made"
    assert lines[1].startswith("sample: ") and lines[1].endswith("of text, 40 of 40 files (22.5 kB)")
    assert lines[2].startswith("26 of 40 documents kept, ")
    assert [line.split()[:3] for line in lines[3:7]] == [
        ["reason", "documents", "share"],
        ["short", "12", "30.0%"],
        ["duplicate.exact", "1", "2.5%"],
        ["empty", "1", "2.5%"],
    ]
    assert "corpus/s00.txt  Too short, number 0. On two lines." in lines[4]
    assert lines[7] == "changed: whitespace.changed 26"


def test_a_dry_run_as_data(lmcli: Lmcli, project: Path) -> None:
    found = lmcli("clean", "--dry-run", *SHORT, "--json").json
    assert found["would_make"] == [{"name": "clean", "reasons": ["never made"]}]
    assert found["sample"]["files"] == found["sample"]["files_in_all"] == 40
    assert found["sample"]["complete"] is True
    assert found["audit"]["dropped"] == {"short": 12, "duplicate.exact": 1, "empty": 1}
    assert found["audit"]["documents_in"] == 40 == found["audit"]["documents_kept"] + 14


def test_a_dry_run_of_what_is_made_already_agrees_with_it(lmcli: Lmcli, cleaned: Path) -> None:
    report = json.loads((cleaned / projects.lock(cleaned)["clean"]["path"] / "report.json").read_text())
    ran = lmcli("clean", "--dry-run", *SHORT, "--json").json
    assert ran["would_make"] == []
    assert ran["audit"] == report


def test_a_dry_run_of_which_nothing_is_left_says_so(lmcli: Lmcli, project: Path) -> None:
    ran = lmcli("clean", "--dry-run", "--set", "clean.min_characters=100000")
    assert (ran.code, "0 of 40 documents kept, 0 B" in ran.out) == (0, True)
    assert lmcli("clean", "--set", "clean.min_characters=100000").code == 3


def test_the_summary_is_a_table_of_reasons(lmcli: Lmcli, project: Path) -> None:
    lines = lmcli("clean", *SHORT).out.splitlines()
    assert lines[2:7] == [
        "  dropped:",
        "    short            12  30.0%",
        "    duplicate.exact   1   2.5%",
        "    empty             1   2.5%",
        "  read them with: lmcli show clean --rejected short",
    ]
    few = lmcli("clean", "--duplicates", "keep", "--force").out
    assert "  dropped: empty 1\n" in few
    assert "--rejected" not in few  # a blank file has no text to read


def test_show_tells_lengths_scripts_and_duplicates(lmcli: Lmcli, cleaned: Path) -> None:
    out = lmcli("show", "clean").out
    assert "\n    characters  kept  dropped\n         32-63     0       12\n       128-255     1        0  #\n" in out
    assert "\n  scripts, by documents: Latin 96.2%, Han 3.8%\n" in out
    assert "\n    2  corpus/a03.txt  " in out
    data = lmcli("show", "clean", "--json").json
    assert data["name"] == "clean"
    assert data["audit"]["lengths"]["kept"]["128"] == 1


def test_dropped_documents_come_in_pages(lmcli: Lmcli, cleaned: Path) -> None:
    lines = lmcli("show", "clean", "--rejected", "short").out.splitlines()
    assert lines[0] == "short: 12 documents, page 1 of 2"
    assert lines[1] == "corpus/s00.txt  34  Too short, number 0. On two lines."
    assert lines[11:] == ["next page: lmcli show clean --rejected short --page 2"]
    assert lmcli("show", "clean", "--rejected", "short", "--page", 2).out.splitlines() == [
        "short: 12 documents, page 2 of 2",
        "corpus/s10.txt  35  Too short, number 10. On two lines.",
        "corpus/s11.txt  35  Too short, number 11. On two lines.",
    ]


def test_dropped_documents_in_full_and_as_data(lmcli: Lmcli, cleaned: Path) -> None:
    out = lmcli("show", "clean", "--rejected", "duplicate", "-v").out
    start = f"duplicate: 1 documents, page 1 of 1\n---- corpus/t.txt: duplicate.exact, {len(sentences(20, 3)) - 1} "
    assert out.startswith(start)
    assert sentences(20, 3) in out
    found = lmcli("show", "clean", "--rejected", "all", "--page", 2, "--json").json
    assert (found["rejected"], found["number"], found["pages"], found["total"]) == ("all", 2, 2, 13)
    assert found["documents"][0] == {
        "id": "corpus/s10.txt", "reason": "short", "text": "Too short, number 10.\nOn two lines.",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("clean", "--rejected", "nope"), "no document was dropped for 'nope' - the reasons are: short 12, dup"),
        (("clean", "--rejected", "short", "--page", "3"), "there is no page 3 of short - there are 12 documents on 2"),
        (("clean", "--rejected", "short", "--page", "0"), "--page"),
        (("clean", "--page", "2"), "--page is for --rejected"),
        (("clean", "--rejected", "a", "--drift", "b"), "--rejected and --drift don't go together"),
        (("clean", "other"), "one artifact at a time: what is other?"),
    ],
)
def test_wrong_questions(lmcli: Lmcli, cleaned: Path, line: tuple[str, ...], message: str) -> None:
    ran = lmcli("show", *line)
    assert (ran.code, message in ran.err) == (2, True), ran.err


def test_other_artifacts_have_neither(lmcli: Lmcli, trained: Path) -> None:
    for option in ("--rejected", "--drift"):
        ran = lmcli("show", "tokens", option, "x")
        assert (ran.code, f"{option} is for a cleaned corpus, and tokens is made by tokens" in ran.err) == (2, True)


def test_drift_without_a_model(lmcli: Lmcli, cleaned: Path) -> None:
    (cleaned / "new.jsonl").write_text(json.dumps({"text": "明天下雨，他们要在学校里读书写字。"}) + "\n")
    ran = lmcli("show", "clean", "--drift", "new.jsonl", cleaned / "corpus" / "a01.txt")
    assert ran.code == 0, ran.err
    lines = ran.out.splitlines()
    assert lines[0].startswith("2 documents, ") and lines[0].endswith(" of clean")
    rows = {line.partition("  ")[0]: line for line in lines[1:]}
    assert rows["characters known"].endswith("many characters are new to the corpus")
    assert rows["near duplicates"].split()[2:4] == ["-", "50.0%"]
    assert "bytes per token" not in rows and "bits per byte" not in rows
    assert lmcli("show", "clean", "--drift", "nope.txt").code == 3


def figure(found: Any, name: str) -> dict[str, Any]:
    return next(item for item in found["figures"] if item["name"] == name)


def test_drift_with_a_tokenizer_and_a_model(lmcli: Lmcli, trained: Path) -> None:
    assert lmcli("clean", "--duplicates", "keep").code == 0
    (trained / "like.txt").write_text(sentences(40, 99))
    (trained / "other.txt").write_text("天气 %$# QXZ 9071 " * 40)
    before = projects.tree(trained)
    like = lmcli("show", "clean", "--drift", "like.txt", "--json").json
    other = lmcli("show", "clean", "--drift", "other.txt", "--json").json
    assert projects.tree(trained) == before
    assert figure(like, "bytes per token")["verdict"] == "the tokenizer fits it as well"
    assert figure(other, "bytes per token")["verdict"].endswith("more tokens than text of the corpus")
    assert figure(like, "bits per byte")["verdict"] == "model predicts it as well as text of the corpus"
    assert figure(other, "bits per byte")["verdict"].startswith("model predicts it worse: ")
    evaluated = lmcli("eval", "like.txt", "--json").json["report"]["figures"]["bpb"]
    assert figure(like, "bits per byte")["text"] == pytest.approx(evaluated, rel=1e-3)
    validation = lmcli("eval", "--json").json["report"]["figures"]["bpb"]
    assert figure(like, "bits per byte")["corpus"] == pytest.approx(validation, rel=1e-3)


@pytest.mark.parametrize(
    ("table", "place", "message"),
    [
        ('filters = ["nope"]', "lmcli.toml:", "unknown filter 'nope'"),
        ('filters = [{name = "whitespace", blank_lines = -1}]', "lmcli.toml:", "whitespace.blank_lines = -1"),
        ('filters = ["none"]', "lmcli.toml:", "lists no filter"),
        ('preset = "wep"', "lmcli.toml:", "clean.preset = 'wep'"),
        ("duplicate_lines = -1", "lmcli.toml:", "clean.duplicate_lines = -1"),
    ],
)
def test_settings_that_mean_nothing(lmcli: Lmcli, project: Path, table: str, place: str, message: str) -> None:
    path = project / "lmcli.toml"
    path.write_text(path.read_text() + f"\n[clean]\n{table}\n")
    for line in (("clean",), ("clean", "--dry-run"), ("clean", "--shard", "0/2"), ("status",)):
        ran = lmcli(*line)
        assert (ran.code, place in ran.err, message in ran.err) == (3, True, True), ran.err


def test_filters_from_the_command_line(lmcli: Lmcli, project: Path) -> None:
    ran = lmcli("clean", "--set", "clean.filters=light,nope")
    assert (ran.code, "--set clean.filters: " in ran.err, "unknown filter 'nope'" in ran.err) == (3, True, True)
    assert lmcli("clean", "--set", "clean.filters=light,whitespace").code == 0
    names = [item["name"] for item in projects.lock(project)["clean"]["requested"]["clean"]["filters"]]
    assert names == ["unicode", "html", "whitespace"]


def test_a_histogram_of_nothing_is_nothing() -> None:
    assert audit.histogram({}, {}) == []


def test_shares_beyond_the_largest_are_added_up() -> None:
    assert audit.shares({"a": 6, "b": 2, "c": 1, "d": 1}, most=2) == "a 60.0%, b 20.0%, 2 others 20.0%"
