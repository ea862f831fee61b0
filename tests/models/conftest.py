"""`kind` of the classes in families.py: one test for each of the class's kinds."""

from __future__ import annotations

import pytest


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "kind" in metafunc.fixturenames and metafunc.cls is not None:
        metafunc.parametrize("kind", list(metafunc.cls.kinds))
