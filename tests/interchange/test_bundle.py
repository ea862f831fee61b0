from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path
from typing import Literal

import pytest

from lmcli import __version__
from lmcli.interchange import bundle
from lmcli.interchange.bundle import BUNDLE
from lmcli.interchange.config import ExportConfig
from lmcli.interchange.source import Source

FILES = {
    *("README.md", "config.json", "generation_config.json", "model.safetensors", "manifest.json"),
    *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
}


def test_a_folder_holds_all_of_it(source: Source, tmp_path: Path) -> None:
    config = ExportConfig(format="dir")
    BUNDLE.write(source, config, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == FILES
    (check,) = BUNDLE.check(source, config, tmp_path)
    assert check.holds


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_an_archive_is_the_same_each_time(kind: Literal["tar.gz", "zip"], source: Source, tmp_path: Path) -> None:
    config = ExportConfig(format="dir", archive=kind)
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        BUNDLE.write(source, config, tmp_path / name)
        assert [path.name for path in (tmp_path / name).iterdir()] == [f"model.{kind}"]
    archive = tmp_path / "one" / f"model.{kind}"
    assert archive.read_bytes() == (tmp_path / "two" / f"model.{kind}").read_bytes()
    with zipfile.ZipFile(archive) if kind == "zip" else tarfile.open(archive) as packed:
        names = packed.namelist() if isinstance(packed, zipfile.ZipFile) else packed.getnames()
    assert set(names) == {f"story/{name}" for name in FILES}
    assert BUNDLE.main_file(config) == f"model.{kind}"
    (check,) = BUNDLE.check(source, config, tmp_path / "one")
    assert check.holds


def test_without_transformers_lmcli_reads_it_again(
    source: Source, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bundle, "is_there", lambda module: False)
    config = ExportConfig(format="dir", dtype="float16")
    BUNDLE.write(source, config, tmp_path)
    (check,) = BUNDLE.check(source, config, tmp_path)
    assert (check.library, check.version) == ("lmcli", __version__)
    assert check.holds
