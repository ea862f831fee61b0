"""The log of a run: one JSON line for each step that is reported, in order, without gaps or repeats."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmcli.project import durable


class MetricsLog:
    """metrics.jsonl. A row is written whole or not at all; a disk that refuses one never stops training."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.failure: OSError | None = None

    def append(self, row: Mapping[str, Any]) -> None:
        """Add one row; the first failure is kept in `failure`, and the file is left ending in a whole line."""
        size = self._size()
        try:
            durable.append(self.path, (json.dumps(row) + "\n").encode(), sync=False)
        except OSError as error:
            self._fail(error, size)

    def sync(self) -> None:
        """Wait until all rows are on the disk."""
        if not self.path.exists():
            return
        try:
            durable.append(self.path, b"", sync=True)
        except OSError as error:
            self._fail(error, self._size())

    def keep_until(self, step: int) -> None:
        """Drop the rows after `step`, and a line that a crash cut off: the run goes on from there."""
        if not self.path.exists():
            return
        data = self.path.read_bytes()
        kept = b"".join(line for line in data.splitlines(keepends=True) if _step_of(line) <= step)
        if kept != data:
            durable.write(self.path, kept)

    def _size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def _fail(self, error: OSError, size: int) -> None:
        self.failure = self.failure or error
        if self._size() > size:
            os.truncate(self.path, size)


def read_metrics(path: Path) -> list[dict[str, Any]]:
    """The whole rows of a log, oldest first; empty when there is none."""
    if not path.exists():
        return []
    lines = path.read_bytes().splitlines(keepends=True)
    return [json.loads(line) for line in lines if _step_of(line) < float("inf")]


def terms(row: Mapping[str, Any], prefix: str) -> str:
    """The terms of a loss in brackets, for people; nothing where it has only one."""
    found = [f"{name.removeprefix(prefix)} {mean:.3f}" for name, mean in row.items() if name.startswith(prefix)]
    return f" ({', '.join(found)})" if found else ""


def _step_of(line: bytes) -> float:
    """The step of a row; infinite for what is no whole row."""
    if not line.endswith(b"\n"):
        return float("inf")
    try:
        step = json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return float("inf")
    return step if isinstance(step, int) else float("inf")
