from __future__ import annotations

from pathlib import Path

import pytest

from lmcli.errors import UsageError
from lmcli.interchange.placing import place


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    (tmp_path / "artifact" / "inner").mkdir(parents=True)
    (tmp_path / "artifact" / "model.gguf").write_bytes(b"model")
    (tmp_path / "artifact" / "inner" / "more.txt").write_bytes(b"more")
    return tmp_path / "artifact"


def test_a_folder_gets_all_files_and_keeps_its_own(artifact: Path, tmp_path: Path) -> None:
    target = tmp_path / "a" / "b"
    assert place(artifact, "model.gguf", target) == target
    assert (target / "inner" / "more.txt").read_bytes() == b"more"
    (target / "mine").write_bytes(b"mine")
    before = (target / "model.gguf").stat().st_mtime_ns
    place(artifact, "model.gguf", target)
    assert (target / "model.gguf").stat().st_mtime_ns == before
    assert (target / "mine").read_bytes() == b"mine"


def test_a_name_with_its_ending_gets_the_main_file_alone(artifact: Path, tmp_path: Path) -> None:
    place(artifact, "model.gguf", tmp_path / "story.gguf")
    assert (tmp_path / "story.gguf").read_bytes() == b"model"


def test_what_is_there_and_differs_is_kept_unless_forced(artifact: Path, tmp_path: Path) -> None:
    target = tmp_path / "there"
    (target / "inner").mkdir(parents=True)
    (target / "inner" / "more.txt").write_bytes(b"other")
    with pytest.raises(UsageError, match=r"more\.txt is there already"):
        place(artifact, "model.gguf", target)
    assert not (target / "model.gguf").exists()
    place(artifact, "model.gguf", target, replace=True)
    assert (target / "inner" / "more.txt").read_bytes() == b"more"
    assert sorted(path.name for path in target.rglob(".*")) == []
