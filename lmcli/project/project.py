"""A project directory: found by its lmcli.toml, read through its manifest."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from lmcli.errors import ArtifactError, ConfigError, did_you_mean
from lmcli.project import busy, document, lock
from lmcli.project.digests import Digests
from lmcli.project.document import Document
from lmcli.project.lock import Entry, Manifest


class Project:
    """The paths and documents of one project. Reading needs no lock; `writing()` holds it for one writer."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.lock_path = self.root / "lmcli.lock"
        self.artifacts = self.root / "artifacts"
        self.runs = self.root / "runs"
        self.cache = self.root / ".lmcli"

    @classmethod
    def find(cls, start: Path) -> Project:
        """The project that `start` lies in. Raises ConfigError (exit 3) when there is none."""
        start = start.resolve()
        for folder in (start, *start.parents):
            if (folder / document.NAME).is_file():
                return cls(folder)
        raise ConfigError(f"no {document.NAME} in {start} or above", "make a project with `lmcli init`")

    @cached_property
    def document(self) -> Document:
        return document.read(self.root / document.NAME)

    @cached_property
    def digests(self) -> Digests:
        return Digests(self.cache / "stat-cache.json")

    def manifest(self) -> Manifest:
        return lock.load(self.lock_path)

    def entry(self, name: str) -> Entry:
        """The current artifact of that name. Raises ArtifactError when it was never made."""
        entries = self.manifest().entries
        if name not in entries:
            hint = did_you_mean(name, entries) or f"the project holds: {', '.join(entries) or 'nothing yet'}"
            raise ArtifactError(f"no artifact named {name}", hint)
        return entries[name]

    def directory(self, entry: Entry) -> Path:
        """Where an artifact lies, checked: raises ArtifactError when it is gone or its content has changed."""
        path = self.root / entry.path
        problem = self.problem(entry)
        if problem:
            raise ArtifactError(f"{entry.name}: {problem}", f"make it again with `lmcli run {entry.name}`")
        return path

    def problem(self, entry: Entry) -> str | None:
        """What is wrong with the files of an artifact, in words; None when they are as they were made."""
        path = self.root / entry.path
        if not path.is_dir():
            return f"{entry.path} is missing"
        try:
            listing = self.digests.tree(path)
        except ArtifactError as error:
            return f"{entry.path} is damaged ({error.message})"
        if listing.digest == entry.digest:
            return None
        return f"{entry.path} is damaged (expected content {entry.digest[:8]}, found {listing.digest[:8]})"

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the project for writing; what was learned about file digests is kept afterwards."""
        with busy.writing(self.root):
            try:
                yield
            finally:
                self.digests.save()
