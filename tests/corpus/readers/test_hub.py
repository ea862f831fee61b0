from __future__ import annotations

from pathlib import Path

import pytest

from lmcli.errors import InputError

from ..conftest import Read


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)


@pytest.mark.slow
def test_a_local_data_set_is_streamed(tmp_path: Path, read_all: Read) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.jsonl").write_text('{"text": "one"}\n{"text": "two"}\n')
    (folder / "test.jsonl").write_text('{"text": "three"}\n')
    assert [document.text for document in read_all(f"hf:{folder}")[0]] == ["one", "two"]
    assert [(document.id, document.text) for document in read_all(f"hf:{folder}:test")[0]] == [
        (f"hf:{folder}:test:1", "three")
    ]


def test_what_cannot_be_loaded_is_an_input_error(tmp_path: Path, read_all: Read) -> None:
    with pytest.raises(InputError, match="can't read hf:"):
        read_all(f"hf:{tmp_path / 'gone'}")
