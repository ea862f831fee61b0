"""Which texts were there before."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from types import TracebackType

CACHE = 64 << 10  # KiB of memory; more digests than fit go to the disk


class Seen:
    """A set of digests that may be larger than memory: a scratch database beside the result, gone at the end."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / ".seen"

    def __enter__(self) -> Seen:
        self._database = sqlite3.connect(self._path, isolation_level=None)
        for setting in (
            "journal_mode = OFF",
            "synchronous = OFF",
            "locking_mode = EXCLUSIVE",
            f"cache_size = -{CACHE}",
        ):
            self._database.execute(f"PRAGMA {setting}")
        self._database.execute("CREATE TABLE seen (digest BLOB PRIMARY KEY) WITHOUT ROWID")
        self._database.execute("BEGIN")
        return self

    def add(self, digest: bytes) -> bool:
        """Whether the digest is new."""
        return self._database.execute("INSERT OR IGNORE INTO seen VALUES (?)", (digest,)).rowcount == 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._database.close()
        self._path.unlink(missing_ok=True)
