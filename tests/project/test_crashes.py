"""What a crash leaves is the state before or the state after, and the same command finishes the work."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lmcli.project import maintenance
from lmcli.project.project import Project
from tests.faults import FAULTS, KILL, Fault, for_each_fault
from tests.power_loss import for_each_power_loss
from tests.project.toys import files_of, generations, make_all, make_project


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a full history whose corpus has changed since, so that a run makes, commits and removes."""
    project = make_project(tmp_path_factory.mktemp("before") / "project")
    generations(project, 3)
    (project.root / "corpus" / "b.txt").write_text("version 3")
    return project.root


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_project(tmp_path_factory.mktemp("empty") / "project").root


def run(root: Path) -> None:
    make_all(Project(root))


class Judge:
    """Compares what a fault left with the project before it and with an unfaulted run."""

    def __init__(self, snapshot: Path, home: Path) -> None:
        self.before = Project(snapshot).manifest().entries
        after = Project(Path(shutil.copytree(snapshot, home / "after")))
        make_all(after)
        maintenance.gc(after)
        self.after = after.manifest().entries
        self.files = {path.relative_to(after.root) for path in files_of(after)}

    def check(self, root: Path, failed: bool = True) -> None:
        project = Project(root)
        assert maintenance.verify(project).damaged == ()
        entries = project.manifest().entries
        for name in ("letters", "words"):
            assert entries.get(name) in (self.before.get(name), self.after[name])
        if not failed:
            assert entries == self.after
        make_all(project)
        assert Project(root).manifest().entries == self.after
        maintenance.gc(project)
        assert {path.relative_to(root) for path in files_of(project)} == self.files
        assert not list(root.rglob(".tmp-*"))


DEFAULT = {("before", "transient ENOSPC"), ("before", "persistent EIO"), ("before", "kill")}
CASES = [
    pytest.param(start, fault, id=f"{start}-{fault}", marks=[] if (start, str(fault)) in DEFAULT else pytest.mark.slow)
    for start in ("before", "empty")
    for fault in FAULTS
]


@pytest.mark.parametrize(("start", "fault"), CASES)
def test_no_fault_loses_or_damages_an_artifact(
    request: pytest.FixtureRequest, tmp_path: Path, start: str, fault: Fault
) -> None:
    snapshot = request.getfixturevalue(start)
    judge = Judge(snapshot, tmp_path)
    assert for_each_fault(snapshot, run, lambda root, trial: judge.check(root, trial.failed), [fault]) > 40


@pytest.mark.parametrize("mixtures", [0, pytest.param(10, marks=pytest.mark.slow)])
@pytest.mark.parametrize("start", ["before", "empty"])
def test_no_power_loss_loses_or_damages_an_artifact(
    request: pytest.FixtureRequest, tmp_path: Path, start: str, mixtures: int
) -> None:
    snapshot = request.getfixturevalue(start)
    judge = Judge(snapshot, tmp_path)

    def check(root: Path, moment: str) -> None:
        judge.check(root, failed=not moment.startswith("at the end"))

    judged = for_each_power_loss(snapshot, run, check, mixtures)
    assert judged > 40 * (2 + mixtures)


def test_a_fault_while_garbage_is_collected_takes_only_garbage(before: Path, tmp_path: Path) -> None:
    littered = Project(Path(shutil.copytree(before, tmp_path / "littered")))
    (littered.artifacts / "letters" / ".tmp-new-1").mkdir()
    (littered.artifacts / "letters" / "00000000").mkdir()
    judge = Judge(littered.root, tmp_path)

    def gc(root: Path) -> None:
        maintenance.gc(Project(root))

    assert for_each_fault(littered.root, gc, lambda root, trial: judge.check(root), [KILL]) > 3
