"""What every test stands on: one torch thread, no network, no settings from the shell, commands run in the process."""

from __future__ import annotations

import os

os.environ.update(OMP_NUM_THREADS="1", HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from lmcli.cli import boundary
from tests import projects

# In CI the same examples each time: a new counterexample is for the person who looks for one.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")


@dataclass(frozen=True)
class Ran:
    """What a command did: exit code, text on stdout and on stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Lmcli = Callable[..., Ran]


@pytest.fixture(autouse=True)
def no_settings_from_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("LMCLI_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def lmcli(capsys: pytest.CaptureFixture[str]) -> Lmcli:
    """Run a command line in this process: `lmcli("status", "--json")`; paths may be given as they are."""

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        code = boundary.run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that commands run in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="session")
def snapshot(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a trained model, made once; tests copy it and never write into it."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("LMCLI_")]:
            patch.delenv(name)
        return projects.make_trained(tmp_path_factory.mktemp("snapshot") / "project")


@pytest.fixture
def trained(snapshot: Path, folder: Path) -> Path:
    """A copy of the trained project, in which commands run."""
    shutil.copytree(snapshot, folder, dirs_exist_ok=True)
    return folder
