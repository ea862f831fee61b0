"""Content digests: streaming SHA-256 of files and trees, with a stat cache so that nothing is hashed twice in vain."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import stat
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lmcli.errors import ArtifactError, from_os_error

# A file changed this shortly before it was hashed could change again without a new time stamp (git's "racy" entries).
RACY_NS = 2_000_000_000

Stat = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class File:
    """One line of a listing: a stable name, the size in bytes and the SHA-256 of the content."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True)
class Listing:
    """The files of a tree or of a set of inputs, sorted by name; its digest covers names, sizes and contents."""

    files: tuple[File, ...]

    @property
    def text(self) -> str:
        """JSON lines; non-ASCII names are escaped, so that names in any bytes survive."""
        return "".join(json.dumps([file.name, file.size, file.sha256]) + "\n" for file in self.files)

    @property
    def digest(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(file.size for file in self.files)

    @classmethod
    def parse(cls, text: str) -> Listing:
        return cls(tuple(File(*json.loads(line)) for line in text.splitlines()))

    def changes(self, new: Listing) -> list[str]:
        """Names of the files that differ, each with what happened to it."""
        before = {file.name: file.sha256 for file in self.files}
        after = {file.name: file.sha256 for file in new.files}
        changed = [name for name in after if name in before and before[name] != after[name]]
        added = [f"{name} is new" for name in after if name not in before]
        removed = [f"{name} is gone" for name in before if name not in after]
        return [*changed, *added, *removed]


def listing_of(named: Iterable[tuple[str, int, str]]) -> Listing:
    return Listing(tuple(sorted((File(*item) for item in named), key=lambda file: os.fsencode(file.name))))


class Digests:
    """SHA-256 of files and trees. A file whose size, times and inode are those of last time is not read again."""

    def __init__(self, cache: Path | None = None) -> None:
        self._cache = cache
        self._known: dict[str, tuple[Stat, str]] = _load(cache) if cache else {}
        self._changed = False

    def file(self, path: Path) -> tuple[int, str]:
        """Size in bytes and SHA-256 (hex) of a file. Raises MachineError when it can't be read."""
        try:
            return self._file(path)
        except OSError as error:
            raise from_os_error(error) from None

    def _file(self, path: Path) -> tuple[int, str]:
        before = _stat(path)
        key = str(path)
        known = self._known.get(key)
        if known and known[0] == before:
            return before[0], known[1]
        started = time.time_ns()
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if _stat(path) == before and max(before[1], before[2]) + RACY_NS < started:
            self._known[key] = (before, digest)
            self._changed = True
        return before[0], digest

    def tree(self, directory: Path) -> Listing:
        """Every file below `directory`, named by its path relative to it. Links, pipes and devices are refused."""
        found = []
        for folder, below, names in os.walk(directory, onerror=_raise):
            _refuse_special(Path(folder), [*below, *names])
            for name in names:
                path = Path(folder, name)
                size, sha256 = self.file(path)
                found.append((path.relative_to(directory).as_posix(), size, sha256))
        return listing_of(found)

    def holds(self, directory: Path, digest: str) -> bool:
        """Whether the tree has that digest."""
        try:
            return self.tree(directory).digest == digest
        except ArtifactError:
            return False

    def save(self) -> None:
        """Keep the cache for the next command. It is only a cache: failing to write it is no error."""
        if not self._cache or not self._changed:
            return
        temporary = self._cache.with_name(f".tmp-{self._cache.name}-{os.getpid()}")
        with contextlib.suppress(OSError):
            self._cache.parent.mkdir(exist_ok=True)
            temporary.write_text(json.dumps({name: [*seen, sha] for name, (seen, sha) in self._known.items()}))
            temporary.replace(self._cache)


def _load(cache: Path) -> dict[str, tuple[Stat, str]]:
    try:
        stored = json.loads(cache.read_bytes())
    except (OSError, ValueError):
        return {}
    return {name: ((a, b, c, d), sha) for name, (a, b, c, d, sha) in stored.items()} if _valid(stored) else {}


def _valid(stored: object) -> bool:
    return isinstance(stored, Mapping) and all(isinstance(row, list) and len(row) == 5 for row in stored.values())


def _stat(path: Path) -> Stat:
    found = path.stat()
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _refuse_special(folder: Path, names: Iterable[str]) -> None:
    for name in names:
        mode = (folder / name).lstat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
            what = "a link" if stat.S_ISLNK(mode) else "no plain file"
            raise ArtifactError(f"{folder / name} is {what}", "artifacts hold plain files only")


def _raise(error: OSError) -> None:
    raise from_os_error(error)
