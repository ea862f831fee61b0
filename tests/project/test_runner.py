from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from lmcli.errors import ArtifactError, InputError
from lmcli.progress import Silent
from lmcli.project import maintenance
from lmcli.project.lock import Override
from lmcli.project.project import Project
from lmcli.project.runner import Runner
from lmcli.project.stage import Made, Work
from tests.project.toys import build_words, files_of, generations, make_all, make_graph, make_project, tree_bytes


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_project(tmp_path / "project")


def test_a_chain_is_made_in_order_and_the_lock_says_all_about_it(project: Project) -> None:
    outcomes = make_all(project)
    assert [(outcome.entry.name, outcome.made, outcome.reasons) for outcome in outcomes] == [
        ("letters", True, ("never made",)),
        ("words", True, ("never made",)),
    ]
    letters, words = project.entry("letters"), project.entry("words")
    assert letters.path == f"artifacts/letters/{letters.digest[:8]}"
    assert tree_bytes(project.root / letters.path) == {
        "data/a.txt": b"ONE TWO", "data/b.txt": b"THREE", "names.json": b'["a.txt", "b.txt"]'
    }  # fmt: skip
    assert letters.bytes == len(b"ONE TWOTHREE") + len(b'["a.txt", "b.txt"]')
    assert (letters.report, letters.plan, letters.requested) == ({"files": 2}, {"shards": 1}, {"upper": True})
    assert words.inputs["letters"].digest == letters.digest
    assert words.inputs["letters"].of == "letters"
    assert letters.inputs["corpus"].of is None
    assert {"lmcli", "torch", "tokenizers"} == words.versions.keys()


def test_a_second_run_writes_nothing(project: Project) -> None:
    make_all(project)
    before = {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in files_of(project)}
    assert [outcome.made for outcome in make_all(project)] == [False, False]
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in files_of(project)} == before


def test_the_same_project_gives_the_same_bytes_elsewhere(project: Project, tmp_path: Path) -> None:
    make_all(project)
    other = make_project(tmp_path / "other")
    make_all(other)
    assert {path.relative_to(project.root) for path in files_of(project)} == {
        path.relative_to(other.root) for path in files_of(other)
    }
    assert other.lock_path.read_bytes() == project.lock_path.read_bytes()


def test_the_lock_holds_no_clock_and_no_host(project: Project) -> None:
    make_all(project)
    text = project.lock_path.read_text()
    assert str(project.root) not in text
    first = make_all(project, letters={"revision": 2})
    project.lock_path.write_text(text)
    assert make_all(project, letters={"revision": 2})[0].entry == first[0].entry


def test_content_that_is_there_already_is_used_again(project: Project) -> None:
    make_all(project)
    before = project.entry("words")
    inode = (project.root / before.path / "words.txt").stat().st_ino
    make_all(project, words={"revision": 2})
    after = project.entry("words")
    assert (after.digest, after.revision, after.history) == (before.digest, 2, ())
    assert (project.root / after.path / "words.txt").stat().st_ino == inode


def test_force_makes_what_is_fresh(project: Project) -> None:
    make_all(project)
    with project.writing():
        outcome = Runner(project, make_graph(project)).make("words", force=True)
    assert (outcome.made, outcome.reasons) == (True, ())


def test_pending_says_what_run_would_make_and_writes_nothing(project: Project) -> None:
    before = tree_bytes(project.root)
    pending = Runner(project, make_graph(project)).pending(["words"])
    assert [str(verdict) for verdict in pending] == ["letters is missing: never made", "words is missing: never made"]
    assert tree_bytes(project.root) == before
    make_all(project)
    assert Runner(project, make_graph(project)).pending(["words"]) == []


def test_the_last_three_generations_are_kept(project: Project) -> None:
    paths = generations(project, 5)
    assert [path for path in paths if (project.root / path).is_dir()] == paths[-3:]
    assert maintenance.verify(project).damaged == ()
    assert [item.path for item in project.entry("letters").history] == [paths[3], paths[2]]


def test_an_earlier_generation_comes_back_without_losing_the_others(project: Project) -> None:
    paths = generations(project, 3)
    assert generations(project, 1) == paths[:1]
    assert [item.path for item in project.entry("letters").history] == [paths[2], paths[1]]
    assert all((project.root / path).is_dir() for path in paths)


class Heard(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


def make_words(project: Project, **changes: Any) -> Heard:
    heard = Heard()
    with project.writing():
        Runner(project, make_graph(project, words=changes), heard).make("words", force=True)
    return heard


@pytest.mark.parametrize(
    ("state", "message", "hint"),
    [
        ("never made", "words needs letters, but letters is missing: never made", "run `toy letters` first; "),
        ("stale", "words needs letters, but letters is stale: input corpus changed (corpus/b.txt)", ""),
        ("gone", "words needs letters, but letters is missing: artifacts/letters/", "run `toy letters` first; "),
        ("damaged", "words needs letters, but letters is damaged: artifacts/letters/", ""),
    ],
)
def test_inputs_that_are_not_fresh_stop_a_stage_with_the_reasons(
    project: Project, state: str, message: str, hint: str
) -> None:
    if state != "never made":
        make_all(project)
        path = project.root / project.entry("letters").path
        {
            "stale": lambda: (project.root / "corpus" / "b.txt").write_text("new"),
            "gone": lambda: shutil.rmtree(path),
            "damaged": lambda: (path / "names.json").write_text("[]"),
        }[state]()
    before = tree_bytes(project.artifacts) if state != "never made" else {}
    with pytest.raises(ArtifactError) as caught:
        make_words(project)
    assert caught.value.exit_code == 4
    assert caught.value.message.startswith(message)
    assert caught.value.hint == f"{hint}`lmcli run words` makes all that it needs"
    assert tree_bytes(project.artifacts) == before


def test_a_stage_that_accepts_stale_inputs_warns_and_uses_them(project: Project) -> None:
    make_all(project)
    (project.root / "corpus" / "b.txt").write_text("new")
    heard = make_words(project, accepts_stale=True)
    assert heard.warnings == [
        "letters is stale: input corpus changed (corpus/b.txt); using it as it is (`lmcli run letters` makes it anew)"
    ]
    shutil.rmtree(project.root / project.entry("letters").path)
    with pytest.raises(ArtifactError, match="words needs letters, but letters is missing"):
        make_words(project, accepts_stale=True)


def test_new_overrides_of_a_fresh_artifact_are_recorded_without_making_it(project: Project) -> None:
    make_all(project)
    overrides = {"words.sort": Override("name", None)}
    outcomes = make_all(project, words={"overrides": overrides})
    assert [outcome.made for outcome in outcomes] == [False, False]
    assert project.entry("words").overrides == overrides
    assert project.entry("words").history == ()
    make_all(project)
    assert project.entry("words").overrides == {}


def failing(error: BaseException) -> Any:
    def build(work: Work) -> Made:
        build_words(work)
        raise error

    return build


@pytest.mark.parametrize("error", [ValueError("a bug"), InputError("bad text"), KeyboardInterrupt()])
def test_a_stage_that_fails_leaves_nothing_behind(project: Project, error: BaseException) -> None:
    make_all(project)
    before = {path: path.read_bytes() for path in files_of(project)}
    with pytest.raises(type(error)):
        make_all(project, words={"build": failing(error), "revision": 2})
    assert {path: path.read_bytes() for path in files_of(project)} == before
    assert not maintenance.verify(project).leftovers


def test_a_corpus_that_changes_while_it_is_read_is_refused(project: Project) -> None:
    def build(work: Work) -> Made:
        (work.root / "corpus" / "a.txt").write_text("grown meanwhile")
        return Made()

    with pytest.raises(InputError, match=r"corpus/a\.txt changed while it was read"):
        make_all(project, letters={"build": build})
    assert project.manifest().entries == {}


def test_a_stage_is_told_its_key_inputs_and_workers(project: Project) -> None:
    seen: list[Work] = []

    def build(work: Work) -> Made:
        seen.append(work)
        return build_words(work)

    with project.writing():
        Runner(project, make_graph(project, words={"build": build}), workers=3).run(["words"])
    assert seen[0].workers == 3
    assert seen[0].inputs == {"letters": project.root / project.entry("letters").path}
    assert len(seen[0].key) == 64
    assert not seen[0].out.exists()
