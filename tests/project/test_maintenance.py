from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lmcli.errors import ArtifactError
from lmcli.project import busy, maintenance
from lmcli.project.project import Project
from tests.project.toys import make_all, make_project, states, tree_bytes


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project with two generations of each artifact."""
    project = make_project(tmp_path / "project")
    make_all(project)
    (project.root / "corpus" / "b.txt").write_text("four")
    make_all(project)
    return project


def test_a_sound_project(project: Project) -> None:
    found = maintenance.verify(project)
    assert sorted(found.sound) == sorted(project.manifest().paths())
    assert len(found.sound) == 4
    assert found.damaged == ()
    named = f"artifacts/sources/{project.entry('letters').inputs['corpus'].digest[:8]}"
    listings = {f"artifacts/sources/{path.name}" for path in (project.artifacts / "sources").iterdir()}
    assert set(found.leftovers) == listings - {named}
    assert len(found.leftovers) == 1


def test_every_generation_and_every_listing_is_read(project: Project) -> None:
    places = [*project.manifest().paths()]
    letters = project.entry("letters")
    source = f"artifacts/sources/{letters.inputs['corpus'].digest[:8]}/files.jsonl"
    damaged = []
    for place in places[1:]:
        path = next(path for path in (project.root / place).rglob("*") if path.is_file())
        path.write_bytes(path.read_bytes()[:-1] + b"!")
        damaged.append(f"{place} is damaged")
    shutil.rmtree(project.root / places[0])
    (project.root / source).write_text("")
    found = maintenance.verify(project)
    assert sorted(found.damaged) == sorted([*damaged, f"{places[0]} is missing", f"{source} is damaged"])
    assert found.sound == ()


def test_verify_trusts_no_cache(project: Project) -> None:
    path = project.root / project.entry("words").path / "words.txt"
    known = project.digests.file(path)
    path.write_bytes(path.read_bytes().swapcase())
    stat = path.stat()
    project.digests._known[str(path)] = ((stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_ino), known[1])
    assert project.problem(project.entry("words")) is None
    assert maintenance.verify(project).damaged == (f"{project.entry('words').path} is damaged",)


def test_a_damaged_lock_is_refused(project: Project) -> None:
    project.lock_path.write_text("{}")
    for reader in (maintenance.verify, maintenance.gc):
        with pytest.raises(ArtifactError, match=r"lmcli\.lock is damaged"):
            reader(project)


LEFTOVERS = {  # a file, and what gc names
    "artifacts/letters/.tmp-new-0123abcd/data/a.txt": "artifacts/letters/.tmp-new-0123abcd",
    "artifacts/letters/00000000/x": "artifacts/letters/00000000",
    "artifacts/dropped/11111111/x": "artifacts/dropped/11111111",
    "artifacts/sources/22222222/.tmp-files.jsonl-0123abcd": "artifacts/sources/22222222",
    "artifacts/stray.d/file": "artifacts/stray.d/file",
    ".tmp-lmcli.lock-0123abcd": ".tmp-lmcli.lock-0123abcd",
    ".lmcli/.tmp-lmcli.lock.bak-0123abcd": ".lmcli/.tmp-lmcli.lock.bak-0123abcd",
    "runs/model/.tmp-step-100/weights": "runs/model/.tmp-step-100",
}


def test_gc_removes_what_nothing_names_and_only_that(project: Project) -> None:
    maintenance.gc(project)
    before = tree_bytes(project.root)
    listing = next((project.artifacts / "sources").iterdir()) / ".tmp-files.jsonl-0123abcd"
    in_use = listing.relative_to(project.root).as_posix()
    named = [*LEFTOVERS.values(), in_use]
    for name in [*LEFTOVERS, in_use]:
        (project.root / name).parent.mkdir(parents=True, exist_ok=True)
        (project.root / name).write_text("12345")
    (project.root / "artifacts" / "letters" / "link").symlink_to(project.root / "corpus")
    (project.root / "corpus" / ".tmp-mine").write_text("the user's own")
    (project.runs / "model" / "metrics.jsonl").write_text("kept")
    littered = tree_bytes(project.root)

    assert set(maintenance.verify(project).leftovers) == {*named, "artifacts/letters/link"}
    planned = maintenance.gc(project, dry_run=True)
    assert tree_bytes(project.root) == littered
    done = maintenance.gc(project)
    assert planned.removed == done.removed
    assert set(done.removed) == {*named, "artifacts/letters/link"}
    assert planned.bytes == done.bytes >= 5 * len(named)
    assert tree_bytes(project.root) == before | {
        "corpus/.tmp-mine": b"the user's own", "runs/model/metrics.jsonl": b"kept"
    }  # fmt: skip
    assert maintenance.gc(project).removed == ()


def test_reasons_are_named_file_by_file_after_gc(project: Project) -> None:
    maintenance.gc(project)
    (project.root / "corpus" / "b.txt").write_text("five")
    assert states(project)["letters"] == "letters is stale: input corpus changed (corpus/b.txt)"


def test_shards_that_are_being_written_are_no_garbage(project: Project) -> None:
    shard = project.runs / "clean" / "abc" / ".tmp-shard-00000-of-00002-1"
    shard.mkdir(parents=True)
    with busy.using(shard.parent):
        assert shard not in maintenance.garbage(project, project.manifest())
    assert shard in maintenance.garbage(project, project.manifest())
