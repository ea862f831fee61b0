"""lmcli.toml, the file that people write: read strictly, with the line of each key for error messages."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lmcli.errors import ConfigError, from_os_error

NAME = "lmcli.toml"
LIMIT = 1 << 20  # bytes; a longer file is a mistake, not a configuration

_TABLE = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]")
_KEY = re.compile(r"\s*([A-Za-z0-9_.\-\"']+)\s*=")


@dataclass(frozen=True)
class Document:
    """The tables of lmcli.toml and the line (from 1) on which each dotted key stands."""

    path: Path
    tables: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)

    def get(self, dotted: str) -> Any:
        """The value at a dotted key, or None."""
        value: Any = self.tables
        for part in dotted.split("."):
            if not isinstance(value, Mapping) or part not in value:
                return None
            value = value[part]
        return value

    def table(self, dotted: str) -> Mapping[str, Any]:
        """The table at a dotted name; empty when there is none. Raises ConfigError when it is a plain value."""
        value = self.get(dotted)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise ConfigError(f"{self.place(dotted)}: {dotted} must be a table", f"write [{dotted}] on its own line")
        return value

    def place(self, dotted: str) -> str:
        """`lmcli.toml:12`, the place of a key or of the nearest table around it."""
        while dotted and dotted not in self.lines:
            dotted = dotted.rpartition(".")[0]
        return f"{self.path.name}:{self.lines[dotted]}" if dotted else self.path.name


def read(path: Path) -> Document:
    """Raises ConfigError with path:line for anything that is not TOML."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise from_os_error(error) from None
    if len(data) > LIMIT:
        raise ConfigError(f"{path} is {len(data):,} bytes long; the limit is {LIMIT:,}")
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
        tables = tomllib.loads(text)
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ConfigError(f"{path}:{line}: not UTF-8 (byte {error.start})", "save the file as UTF-8") from None
    except (ValueError, RecursionError) as error:  # a ValueError that is no TOMLDecodeError: a number of 5000 digits
        raise ConfigError(f"{path}{_line_of(error)}: {error}", "see https://toml.io for the format") from None
    return Document(path, tables, _lines(text))


def _line_of(error: Exception) -> str:
    """`:3` out of tomllib's "... (at line 3, column 5)"."""
    found = re.search(r"\(at line (\d+), column \d+\)$", str(error))
    return f":{found[1]}" if found else ""


def _lines(text: str) -> dict[str, int]:
    """Where each key stands: close enough for messages, since TOML's parser doesn't tell."""
    found: dict[str, int] = {}
    table = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if match := _TABLE.match(line):
            table = match[1].replace('"', "").replace(" ", "")
            found.setdefault(table, number)
        elif match := _KEY.match(line):
            key = match[1].replace('"', "").replace("'", "")
            found.setdefault(f"{table}.{key}" if table else key, number)
    return found
