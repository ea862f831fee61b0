from __future__ import annotations

from pathlib import Path

import pytest

from tests.corpus import planted
from tests.projects import command


@pytest.fixture(scope="session")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the planted corpus cleaned by one process."""
    root = planted.project(tmp_path_factory.mktemp("whole") / "project")
    assert command(root, *planted.CLEAN, "--workers", 1) == 0
    return planted.digest(root)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with the planted corpus in a folder whose name a shell would take apart."""
    return planted.project(tmp_path / "the project's")
