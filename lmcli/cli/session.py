"""What every command is told: which project, how to speak, which settings were given."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from lmcli.cli.console import Console
from lmcli.errors import ConfigError, InputError
from lmcli.project.project import Project
from lmcli.project.settings import Given


@dataclass(frozen=True)
class Shown:
    """A command's result: `data` for --json, `lines` for people."""

    data: Mapping[str, Any]
    lines: Sequence[str] = ()


STARTED = "_LMCLI_STARTED"
"""The instant at which a launcher of ours began, for the processes that it starts."""


def _started() -> float:
    """When the command began; a process that was started again does not count what its run has counted already."""
    first = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") == "0"
    return float(os.environ[STARTED]) if STARTED in os.environ and first else time.monotonic()


@dataclass(frozen=True)
class Session:
    """The options that all commands share, and the settings that flags gave."""

    folder: Path
    json: bool = False
    quiet: bool = False
    verbose: bool = False
    dry_run: bool = False
    force: bool = False
    sets: Sequence[str] = ()
    flags: Mapping[str, Any] = field(default_factory=dict)
    started: float = field(default_factory=_started)

    @cached_property
    def project(self) -> Project:
        return Project.find(self.folder)

    @cached_property
    def console(self) -> Console:
        return Console(quiet=self.quiet, verbose=self.verbose)

    def inputs(self, items: Sequence[str] | None) -> list[str]:
        """What a command is to read, as the project states it; standard input is kept as a file first."""
        return [self.standard_input if item == "-" else self.place(item) for item in items or ()]

    @cached_property
    def standard_input(self) -> str:
        from lmcli.cli.piped import kept

        return kept(self)

    def place(self, path: str) -> str:
        """A path that was given where the command runs, as the project states it; names that are no path stay."""
        if not path.isprintable() and any("\ud800" <= character <= "\udfff" for character in path):
            shown = os.fsencode(path).decode("utf-8", "backslashreplace")
            hint = "name its folder, or a pattern such as *.txt: settings are UTF-8, and this name is not"
            raise InputError(f"{shown} can't be written into a setting", hint)
        if path.startswith(("hf:./", "hf:../")):
            return self._local_data_set(path)
        found = self.folder / path
        is_pattern = bool(set("*?[") & set(path))
        there = os.path.exists(found)  # noqa: PTH110 - False for a name that is too long, where a Path raises
        if path.partition(":")[0] in ("pydoc", "hf") or not (there or is_pattern):
            return path
        absolute = Path(os.path.abspath(found))  # noqa: PTH100 - links keep their names
        slash = "/" if path.endswith("/") else ""
        inside = absolute.is_relative_to(self.root)
        return (absolute.relative_to(self.root).as_posix() if inside else str(absolute)) + slash

    def _local_data_set(self, path: str) -> str:
        name, colon, split = path.removeprefix("hf:").partition(":")
        place = self.place(name)
        return f"hf:{'' if place.startswith(('.', '/')) else './'}{place}{colon}{split}"

    @property
    def root(self) -> Path:
        """The project's folder; outside of a project the folder where the command runs."""
        try:
            return self.project.root
        except ConfigError:
            return self.folder.resolve()

    def given(self, **more: Any) -> Given:
        """The settings of this command line; `more` adds dotted keys with `__` for the dot, None is left out."""
        added = {key.replace("__", "."): value for key, value in more.items() if value not in (None, [], ())}
        return Given({**self.flags, **added}, self.sets, dict(os.environ))
