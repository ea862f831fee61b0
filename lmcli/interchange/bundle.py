"""dir: one folder or archive with all that the next person needs: model, tokenizer, card, licence notes, manifest.

Archives hold no times, owners or modes of this machine, so that the same model gives the same bytes.
"""

from __future__ import annotations

import gzip
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO

from lmcli import __version__
from lmcli.errors import ArtifactError
from lmcli.interchange import hugging_face
from lmcli.interchange.checking import Check, compare
from lmcli.interchange.config import ExportConfig
from lmcli.interchange.formats import Format
from lmcli.interchange.packages import is_there
from lmcli.interchange.source import Source, logits
from lmcli.models.directory import load_model, save_model
from lmcli.project import durable

_FIRST_DAY = (1980, 1, 1, 0, 0, 0)
"""The earliest time that a zip file can state."""


def write(source: Source, config: ExportConfig, out: Path) -> None:
    if config.archive == "none":
        _fill(source, config, out)
        return
    with tempfile.TemporaryDirectory(dir=out, prefix=durable.TEMPORARY) as folder:
        _fill(source, config, Path(folder))
        with durable.create(out / _archive(config)) as file:
            _PACK[config.archive](Path(folder), source.name, file)


def _fill(source: Source, config: ExportConfig, out: Path) -> None:
    save_model(source.model, source.directory, out, dtype=config.dtype, card=source.card)
    for name, content in source.papers.items():
        durable.write(out / name, content)


def _archive(config: ExportConfig) -> str:
    return "" if config.archive == "none" else f"model.{config.archive}"


def _files(folder: Path) -> list[tuple[str, Path]]:
    return [(path.relative_to(folder).as_posix(), path) for path in sorted(folder.rglob("*")) if path.is_file()]


def _tar(folder: Path, name: str, file: IO[bytes]) -> None:
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as squeezed,
        tarfile.open(fileobj=squeezed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for inner, path in _files(folder):
            item = tarfile.TarInfo(f"{name}/{inner}")
            item.size, item.mode = path.stat().st_size, 0o644
            with path.open("rb") as content:
                archive.addfile(item, content)


def _zip(folder: Path, name: str, file: IO[bytes]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for inner, path in _files(folder):
            item = zipfile.ZipInfo(f"{name}/{inner}", _FIRST_DAY)
            item.external_attr, item.create_system = 0o644 << 16, 3
            item.compress_type, item.file_size = zipfile.ZIP_DEFLATED, path.stat().st_size
            with path.open("rb") as content, archive.open(item, "w") as target:
                while block := content.read(1 << 20):
                    target.write(block)


_PACK: Mapping[str, Callable[[Path, str, IO[bytes]], None]] = {"tar.gz": _tar, "zip": _zip}


def check(source: Source, config: ExportConfig, out: Path) -> Sequence[Check]:
    """With transformers where it is installed and has a class for the family, else with lmcli itself."""
    if config.archive == "none":
        return [_check(source, config, out)]
    with tempfile.TemporaryDirectory() as folder:
        _unpack(out / _archive(config), Path(folder))
        return [_check(source, config, Path(folder) / source.name)]


def _check(source: Source, config: ExportConfig, folder: Path) -> Check:
    if is_there("transformers") and hugging_face.has_class(folder):
        return hugging_face.check(source, config, folder)[0]
    theirs = logits(load_model(folder), source.ids_rt)
    return compare(source.logits_rtv, theirs, library="lmcli", version=__version__, precision=config.dtype)


def _unpack(archive: Path, folder: Path) -> None:
    try:
        if archive.name.endswith(".zip"):
            with zipfile.ZipFile(archive) as file:
                file.extractall(folder)
        else:
            with tarfile.open(archive, "r:gz") as packed:
                packed.extractall(folder, filter="data")
    except (tarfile.TarError, zipfile.BadZipFile) as error:
        raise ArtifactError(f"{archive} can't be read again: {error}", "check the disk, then export again") from None


BUNDLE = Format(write, check, {}, _archive)
