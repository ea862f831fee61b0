from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lmcli.corpus.config import ReadingConfig
from lmcli.corpus.documents import Document
from lmcli.corpus.reading import read
from lmcli.corpus.sources import resolve
from lmcli.corpus.tally import Tally
from lmcli.progress import Silent

Read = Callable[..., tuple[list[Document], Tally]]
WriteFile = Callable[[str, bytes | str], Path]


@pytest.fixture
def write_file(tmp_path: Path) -> WriteFile:
    """Puts a file below the root of the project."""

    def write(name: str, data: bytes | str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return path

    return write


@pytest.fixture
def read_all(tmp_path: Path) -> Read:
    """Reads inputs of the project to a list, with the counts."""

    def read_inputs(*inputs: str, **settings: Any) -> tuple[list[Document], Tally]:
        tally = Tally()
        sources = resolve(inputs, tmp_path)
        return list(read(sources, ReadingConfig(**settings), Silent(), tally)), tally

    return read_inputs
