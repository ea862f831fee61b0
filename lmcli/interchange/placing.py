"""A copy of an artifact where somebody wants it. Each file is complete or not there; nothing else is touched."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from lmcli.errors import UsageError, from_os_error
from lmcli.project import durable
from lmcli.project.digests import Digests


def place(artifact: Path, main_file: str, target: Path, *, replace: bool = False) -> Path:
    """Copy `artifact` into the folder `target`, or its main file alone where the target's name has that file's ending.

    Other files in the folder stay. A file of the same name with other content is a UsageError unless `replace`.
    Returns the target.
    """
    alone = bool(main_file) and target.name.endswith(_ending(main_file)) and not target.is_dir()
    pairs = [(artifact / main_file, target)] if alone else list(_pairs(artifact, target))
    try:
        wanted = [(source, there) for source, there in pairs if not _same(source, there)]
        taken = [there for _, there in wanted if there.exists()]
        if taken and not replace:
            raise UsageError(f"{taken[0]} is there already and is something else", "--force replaces it")
        for source, there in wanted:
            durable.mkdir(there.parent)
            _copy(source, there)
    except OSError as error:
        raise from_os_error(error) from None
    return target


def _ending(name: str) -> str:
    return ".tar.gz" if name.endswith(".tar.gz") else Path(name).suffix


def _pairs(artifact: Path, target: Path) -> Iterator[tuple[Path, Path]]:
    """Each file with its place; config.json comes last, without which a folder is no model."""
    files = sorted(artifact.rglob("*"), key=lambda path: (path.name == "config.json", path))
    return ((path, target / path.relative_to(artifact)) for path in files if path.is_file())


def _same(source: Path, there: Path) -> bool:
    digests = Digests()
    return (
        there.is_file()
        and there.stat().st_size == source.stat().st_size
        and digests.file(there) == digests.file(source)
    )


def _copy(source: Path, target: Path) -> None:
    temporary = durable.temporary_name(target)
    try:
        with source.open("rb") as old, durable.create(temporary) as new:
            shutil.copyfileobj(old, new, 1 << 20)
        durable.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
