"""`lmcli clean --engine`: options that don't go together, plans, missing extras, the command line that merges."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from lmcli.cli import engines
from lmcli.cli.session import Session
from lmcli.corpus.engines import ENGINES, load
from lmcli.errors import MachineError
from tests.conftest import Lmcli
from tests.corpus import planted
from tests.projects import command, tree


@pytest.fixture
def root(folder: Path) -> Path:
    return planted.project(folder)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("--tasks", 3), "--tasks needs --engine - one of: local, slurm, ray"),
        (("--partition", "cpu"), "--partition needs --engine"),
        (("--engine", "lokal"), "there is no engine 'lokal' - did you mean local?"),
        (("--engine", "local", "--shard", "1/2"), "--engine makes all shards and merges them"),
        (("--engine", "local", "--merge"), "--engine makes all shards and merges them"),
        (("--engine", "local", "--time", "1:00"), "--time is for --engine slurm"),
        (("--engine", "ray", "--sbatch", "a=b"), "--sbatch is for --engine slurm"),
        (("--engine", "slurm", "--tasks", 2, "--ray-address", "auto"), "--ray-address is for --engine ray"),
        (("--engine", "slurm"), "--engine slurm needs --tasks"),
        (("--engine", "slurm", "--tasks", 2, "--sbatch", "account"), "--sbatch account: no value"),
        (("--engine", "local", "--tasks", 0), "--tasks"),
    ],
)
def test_options_that_do_not_go_together(lmcli: Lmcli, root: Path, line: tuple[object, ...], message: str) -> None:
    ran = lmcli("clean", *line)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


def test_a_plan(lmcli: Lmcli, root: Path) -> None:
    before = tree(root)
    ran = lmcli("clean", "--engine", "local", "--tasks", 3, "--dry-run")
    assert ran.code == 0
    assert ran.out.splitlines() == ["would make clean: never made", "in 3 tasks by local"]
    assert lmcli("clean", "--engine", "local", "--tasks", 3, "--dry-run", "--json").json["tasks"] == 3
    assert tree(root) == before


@pytest.mark.parametrize("name", ENGINES)
def test_a_missing_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = f"lmcli.corpus.engines.{name}"
    for loaded in [item for item in sys.modules if item.startswith(("datatrove", module))]:
        monkeypatch.delitem(sys.modules, loaded)
    monkeypatch.setitem(sys.modules, "datatrove", None)
    with pytest.raises(MachineError) as caught:
        load(name)
    assert caught.value.message == "the package datatrove is not installed"
    assert caught.value.hint == f'pip install "lmcli[{"ray" if name == "ray" else "cluster"}]"'


def test_the_merge_has_the_settings_of_the_command(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flags = {"clean.preset": "web", "clean.max_bad_rows": 0.5, "clean.duplicate_lines": 40, "clean.render": "chat"}
    session = Session(root / "corpus", sets=("clean.min_characters=7",), flags=flags, force=True)
    given = session.given(project__inputs=["corpus/a.jsonl", "-odd"])
    line = engines._merge(session, given)
    assert line[:5] == (sys.executable, "-m", "lmcli", "clean", "--merge")
    assert line[-3:] == ("--", "corpus/a.jsonl", "-odd")
    assert ("-C", str(root)) == (line[5], line[6])
    assert "--force" in line
    pairs = [line[place + 1] for place, part in enumerate(line) if part == "--set"]
    assert pairs == [
        "clean.min_characters=7",
        "clean.preset=web",
        "clean.max_bad_rows=0.5",
        "clean.duplicate_lines=40",
        "clean.render=chat",
    ]


def test_the_merge_finds_the_shards_of_the_command(root: Path) -> None:
    """Flags, --set and inputs come out as the same job: shards of one command line are merged by the other."""
    own = ("--duplicates", "near", "--set", "clean.min_characters=7", "corpus/a.jsonl", "corpus/e.txt")
    for index in range(2):
        assert command(root, "clean", *own, "--workers", 1, "--shard", f"{index}/2") == 0
    session = Session(root, sets=("clean.min_characters=7",), flags={"clean.duplicates": "near"})
    line = engines._merge(session, session.given(project__inputs=["corpus/a.jsonl", "corpus/e.txt"]))
    assert command(root, *line[3:]) == 0
    assert planted.is_made(root)
