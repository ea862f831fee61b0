"""Fixtures that take long are made by one of the parallel test workers; the others wait for it and read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """The folder `name` of this test run, filled by `make` on the first call in any worker; nobody may write into it.

    A worker whose `make` failed leaves no mark, so that the next one begins again and shows the error too.
    """
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each worker has a folder of its own below that of the run
        base = base.parent
    folder, mark = base / name, base / f"{name}.made"
    with FileLock(base / f"{name}.lock"):
        if not mark.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            make(folder)
            mark.touch()
    return folder
