from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lmcli.project import digests, freshness
from lmcli.project.lock import InputRecord
from lmcli.project.project import Project
from lmcli.project.runner import Runner
from lmcli.project.stage import Artifact, Files
from tests.project.toys import make_all, make_graph, make_project, states

FRESH = {"letters": "letters is fresh", "words": "words is fresh"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = make_project(tmp_path_factory.mktemp("made") / "project")
    make_all(project)
    return project.root


@pytest.fixture
def project(made: Path, tmp_path: Path) -> Project:
    """A finished project that was copied to another place."""
    return Project(Path(shutil.copytree(made, tmp_path / "copy")))


def corpus(project: Project, name: str) -> Path:
    return project.root / "corpus" / name


def artifact(project: Project, name: str) -> Path:
    return project.root / project.entry(name).path


def test_a_finished_project_is_fresh_also_after_it_was_moved(project: Project) -> None:
    assert states(project) == FRESH


def test_nothing_made_yet(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    assert states(project) == {"letters": "letters is missing: never made", "words": "words is missing: never made"}


def many(project: Project) -> None:
    for name in "cdefg":
        corpus(project, f"{name}.txt").write_text(name)


CORPUS_CHANGES: dict[str, tuple[Callable[[Project], object], str]] = {
    "changed file": (lambda p: corpus(p, "b.txt").write_text("other words"), "(corpus/b.txt)"),
    "new file": (lambda p: corpus(p, "c.txt").write_text(""), "(corpus/c.txt is new)"),
    "removed file": (lambda p: corpus(p, "b.txt").unlink(), "(corpus/b.txt is gone)"),
    "renamed file": (
        lambda p: corpus(p, "b.txt").rename(corpus(p, "z.txt")),
        "(corpus/z.txt is new, corpus/b.txt is gone)",
    ),
    "swapped contents": (
        lambda p: (corpus(p, "a.txt").write_text("three"), corpus(p, "b.txt").write_text("one two")),
        "(corpus/a.txt, corpus/b.txt)",
    ),
    "many new files": (
        many,
        "(corpus/c.txt is new, corpus/d.txt is new, corpus/e.txt is new and 2 more)",
    ),
    "unknown before": (
        lambda p: (shutil.rmtree(p.artifacts / "sources"), corpus(p, "b.txt").write_text("other")),
        "",
    ),
}


@pytest.mark.parametrize("change", CORPUS_CHANGES)
def test_a_change_of_the_corpus_is_named_file_by_file(project: Project, change: str) -> None:
    apply, words = CORPUS_CHANGES[change]
    apply(project)
    assert states(project) == {
        "letters": f"letters is stale: input corpus changed {words}".rstrip(),
        "words": "words is stale: input letters is stale",
    }


def test_a_touched_file_is_no_change(project: Project) -> None:
    os.utime(corpus(project, "a.txt"))
    assert states(project) == FRESH


def test_a_rewrite_of_the_same_length_with_its_old_time_is_noticed(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digests, "RACY_NS", 0)  # what was hashed once is trusted at once
    time.sleep(0.05)
    assert states(project) == FRESH
    for path in (corpus(project, "b.txt"), artifact(project, "words") / "words.txt"):
        before = path.stat()
        path.write_bytes(path.read_bytes().swapcase())
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    found = states(project)
    assert found["letters"] == "letters is stale: input corpus changed (corpus/b.txt)"
    assert found["words"].startswith("words is damaged")


def test_an_empty_corpus_is_a_reason_and_no_crash(project: Project) -> None:
    shutil.rmtree(project.root / "corpus")
    assert states(project)["letters"] == "letters is stale: input corpus: no files in corpus/"


STAGE_CHANGES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "setting": (
        {"letters": {"requested": {"upper": False}}},
        {
            "letters": "letters is stale: upper changed (true -> false)",
            "words": "words is stale: input letters is stale",
        },
    ),
    "nested setting": (
        {"words": {"requested": {"sort": {"by": "文"}}}},
        {"words": 'words is stale: sort.by changed ("name" -> "文")'},
    ),
    "new and dropped setting": (
        {"words": {"requested": {"limit": 3}}},
        {"words": 'words is stale: limit changed (unset -> 3); sort changed ({"by": "name"} -> unset)'},
    ),
    "revision": (
        {"words": {"revision": 2}},
        {"words": "words is stale: lmcli makes words differently now (revision 1 -> 2)"},
    ),
    "other kind": (
        {"words": {"kind": "phrases"}},
        {"words": "words is stale: it was made by words, not by phrases"},
    ),
    "input dropped": (
        {"words": {"inputs": {}}},
        {"words": "words is stale: no longer reads letters"},
    ),
    "input is files now": (
        {"words": {"inputs": {"letters": Files(lambda: [("x", None)])}}},
        {"words": "words is stale: input letters is now files, was letters"},
    ),
    "input is an artifact now": (
        {"letters": {"inputs": {"corpus": Artifact("words")}}, "words": {"inputs": {}}},
        {"letters": "letters is stale: input words is stale", "words": "words is stale: no longer reads letters"},
    ),
}


@pytest.mark.parametrize("change", STAGE_CHANGES)
def test_a_change_of_what_is_asked_for_is_named(project: Project, change: str) -> None:
    changes, words = STAGE_CHANGES[change]
    assert states(project, **changes) == FRESH | words


def test_an_input_that_was_made_anew_is_named(project: Project) -> None:
    corpus(project, "b.txt").write_text("other")
    fresh = Project(project.root)
    with fresh.writing():
        Runner(fresh, make_graph(fresh)).make("letters")
    assert states(project)["words"] == "words is stale: input letters was made anew"


def test_a_pinned_input_leaves_the_artifact_fresh(project: Project) -> None:
    corpus(project, "b.txt").write_text("other")
    assert states(project, letters={"pinned": frozenset({"corpus"})}) == FRESH


def test_a_missing_directory(project: Project) -> None:
    path = project.entry("letters").path
    shutil.rmtree(project.root / path)
    assert states(project) == {
        "letters": f"letters is missing: {path} is missing",
        "words": "words is stale: input letters is missing",
    }


def test_every_flipped_bit_of_every_artifact_is_noticed(project: Project) -> None:
    flips = 0
    for name in ("letters", "words"):
        entry = project.entry(name)
        for path in sorted(path for path in artifact(project, name).rglob("*") if path.is_file()):
            data = path.read_bytes()
            for place in range(len(data) * 8):
                flipped = bytearray(data)
                flipped[place // 8] ^= 1 << place % 8
                path.write_bytes(flipped)
                problem = Project(project.root).problem(entry)
                assert problem is not None
                assert problem.startswith(f"{entry.path} is damaged (expected content {entry.digest[:8]}, found ")
                flips += 1
            path.write_bytes(data)
    assert flips > 300
    assert states(project) == FRESH


DAMAGE: dict[str, Callable[[Path], object]] = {
    "extra file": lambda path: (path / "extra").write_text(""),
    "removed file": lambda path: (path / "words.txt").unlink(),
    "renamed file": lambda path: (path / "words.txt").rename(path / "other.txt"),
    "moved file": lambda path: ((path / "below").mkdir(), (path / "words.txt").rename(path / "below" / "words.txt")),
    "file cut to nothing": lambda path: (path / "words.txt").write_text(""),
    "zeros at the end": lambda path: (path / "words.txt").write_bytes(b"ONE\nTWO\nTH\0\0\0"),
    "link for a file": lambda path: (
        (path / "words.txt").rename(path.parent / "elsewhere"),
        (path / "words.txt").symlink_to(path.parent / "elsewhere"),
    ),
    "link to a folder": lambda path: (path / "link").symlink_to("/"),
    "pipe": lambda path: os.mkfifo(path / "pipe"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_noticed_and_the_stage_is_made_again(project: Project, damage: str) -> None:
    before = project.entry("words")
    DAMAGE[damage](artifact(project, "words"))
    assert states(project)["words"].startswith(f"words is damaged: {before.path} is damaged (")
    outcomes = make_all(project)
    assert [(outcome.entry.name, outcome.made) for outcome in outcomes] == [("letters", False), ("words", True)]
    assert outcomes[1].entry == before
    assert states(project) == FRESH


def test_the_key_covers_all_that_decides_a_result_and_nothing_else(project: Project) -> None:
    stage = make_graph(project)["words"]
    records = {"letters": InputRecord("a" * 64, "letters"), "other": InputRecord("b" * 64)}
    key = freshness.key_of(stage, records)
    same = [replace(stage, command="x", overrides={"a": None}, accepts_stale=True), replace(stage, name="w")]  # type: ignore[dict-item]
    assert {freshness.key_of(item, records) for item in same} == {key}
    other = [replace(stage, revision=2), replace(stage, requested={"sort": {}}), replace(stage, kind="x")]
    other += [replace(stage, pinned=frozenset({"letters"}))]
    changed = {**records, "letters": InputRecord("c" * 64, "letters")}
    keys = {*(freshness.key_of(item, records) for item in other), freshness.key_of(stage, changed), key}
    assert len(keys) == 6
