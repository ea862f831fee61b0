from __future__ import annotations

from pathlib import Path

import pytest

from lmcli.errors import ConfigError, InputError
from lmcli.project import scaffold
from lmcli.project.lock import Manifest
from lmcli.project.project import Project
from tests.faults import FULL_DISK, KILL, Trial, for_each_fault
from tests.project.toys import tree_bytes


def test_an_empty_folder_becomes_a_project_that_is_found_from_below(tmp_path: Path) -> None:
    done = scaffold.init(tmp_path / "new" / "story")
    project = Project.find(tmp_path / "new" / "story" / "corpus")
    assert project.root == (tmp_path / "new" / "story").resolve()
    assert project.manifest() == Manifest()
    assert project.document.table("project")
    assert {"lmcli.toml", ".gitignore"} <= set(done.written)
    assert done.kept == ()
    assert (project.root / ".gitignore").read_text() == "artifacts/\nruns/\n.lmcli/\n"


def test_what_is_there_is_kept(tmp_path: Path) -> None:
    (tmp_path / "lmcli.toml").write_text("# mine\n")
    (tmp_path / "corpus").mkdir()
    (tmp_path / "corpus" / "a.txt").write_text("text")
    done = scaffold.init(tmp_path)
    assert done.kept == ("lmcli.toml",)
    assert (tmp_path / "lmcli.toml").read_text() == "# mine\n"
    before = tree_bytes(tmp_path)
    again = scaffold.init(tmp_path)
    assert (again.written, set(again.kept)) == ((), {*done.kept, *done.written})
    assert tree_bytes(tmp_path) == before


def test_a_project_that_lost_its_lock_does_not_get_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "artifacts" / "tokens" / "00000000").mkdir(parents=True)
    scaffold.init(tmp_path)
    assert not (tmp_path / "lmcli.lock").exists()


def test_a_dry_run_writes_nothing(tmp_path: Path) -> None:
    planned = scaffold.init(tmp_path / "story", dry_run=True)
    assert not (tmp_path / "story").exists()
    assert scaffold.init(tmp_path / "story").written == planned.written


def test_every_template_makes_a_project_and_has_a_readme(tmp_path: Path) -> None:
    assert scaffold.DEFAULT in scaffold.templates()
    for name in scaffold.templates():
        scaffold.init(tmp_path / name, name)
        assert Project.find(tmp_path / name).document.path.name == "lmcli.toml"
        assert (tmp_path / name / "README.md").is_file()


@pytest.mark.parametrize(("name", "hint"), [("defualt", "did you mean default?"), ("zzz", "known: ")])
def test_an_unknown_template(tmp_path: Path, name: str, hint: str) -> None:
    with pytest.raises(InputError, match=f"no template named {name}") as caught:
        scaffold.init(tmp_path / "story", name)
    assert str(caught.value.hint).startswith(hint)
    assert not (tmp_path / "story").exists()


@pytest.mark.parametrize("below", [False, True])
def test_a_file_is_no_folder_for_a_project(tmp_path: Path, below: bool) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InputError, match="is not a folder") as caught:
        scaffold.init(tmp_path / "file" / "story" if below else tmp_path / "file")
    assert caught.value.hint == "name a folder for the project"


def test_half_an_init_is_no_project_and_can_be_finished(tmp_path: Path) -> None:
    (tmp_path / "snapshot").mkdir()
    whole = {name for name in tree_bytes(scaffold_at(tmp_path / "whole")) if not name.startswith(".lmcli/")}

    def check(root: Path, trial: Trial) -> None:
        if (root / "lmcli.toml").exists():
            assert whole <= tree_bytes(root).keys()
        else:
            with pytest.raises(ConfigError, match=r"no lmcli\.toml"):
                Project.find(root)
        found = {name for name in tree_bytes(scaffold_at(root)) if not name.startswith(".lmcli/")}
        assert {name for name in found if ".tmp-" not in name} == whole
        Project.find(root).manifest()

    for_each_fault(tmp_path / "snapshot", scaffold_at, check, [KILL, FULL_DISK])


def scaffold_at(root: Path) -> Path:
    scaffold.init(root)
    return root


def test_no_project_anywhere_above(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"no lmcli.toml in {tmp_path} or above") as caught:
        Project.find(tmp_path)
    assert caught.value.hint == "make a project with `lmcli init`"
