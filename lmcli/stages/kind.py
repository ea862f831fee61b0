"""How stages of one kind come about: which tables they read, which names lmcli.toml asks for, how they are made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmcli.project.document import Document
from lmcli.project.lock import Entry
from lmcli.project.project import Project
from lmcli.project.settings import Resolved
from lmcli.project.stage import Stage


@dataclass(frozen=True)
class Request:
    """One artifact that is wanted: its resolved settings, and those of all the others for stages that depend on them.

    `kinds` maps every artifact name of the project to its kind.
    """

    name: str
    project: Project
    resolved: Mapping[str, Resolved]
    kinds: Mapping[str, str]

    @property
    def own(self) -> Resolved:
        return self.resolved[self.name]

    def section(self, table: str) -> Any:
        """The decoded settings of one of the stage's tables."""
        return self.own.sections[table]


@dataclass(frozen=True)
class Kind:
    name: str
    tables: Callable[[str], Mapping[str, type]]
    """Artifact name -> the tables of lmcli.toml that it reads, each with its dataclass."""
    wanted: Callable[[Document], Iterable[str]]
    """The artifact names of this kind that lmcli.toml asks for."""
    assemble: Callable[[Request], Stage]
    summary: Callable[[Entry, Path], Sequence[str]]
    """The result in a few lines for people; the path is where its files lie."""


def named_tables(table: str) -> Callable[[Document], Iterable[str]]:
    """For kinds with one table for each artifact ([finetune.NAME]): the names in lmcli.toml."""

    def names(document: Document) -> Iterable[str]:
        return list(document.table(table))

    return names
