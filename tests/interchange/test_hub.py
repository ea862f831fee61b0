from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from lmcli.errors import InputError, MachineError
from lmcli.interchange import hub

COMMIT = "0123456789abcdef0123456789abcdef01234567"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of huggingface_hub, which is offline in tests."""
    constants = pytest.importorskip("huggingface_hub.constants")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path / "hub"


def test_a_snapshot_in_the_cache_is_found_offline(cache: Path, directory: Path) -> None:
    home = cache / "models--owner--name"
    shutil.copytree(directory, home / "snapshots" / COMMIT)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(COMMIT)
    assert hub.fetch("hf:owner/name", "main") == (home / "snapshots" / COMMIT, COMMIT)


def test_offline_is_one_line(cache: Path) -> None:
    with pytest.raises(MachineError, match="can't be reached, and owner/name is not in its cache"):
        hub.fetch("hf:owner/name", "main")


@pytest.mark.parametrize("name", ["hf:", "hf:../x", "hf:a/b/c", "hf:a b/c", "hf:/etc"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(InputError, match="is no name of a hub model"):
        hub.fetch(name, "main")


def test_what_could_be_a_name() -> None:
    assert hub.could_be("owner/name-1.5")
    assert not any(hub.could_be(text) for text in ("name", "../name", "a/b/c", "./x", "/x", "owner/"))
