"""What a user names as input, resolved to the files behind it."""

from __future__ import annotations

import errno
import glob
import os
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lmcli.corpus.readers import SUFFIXES, reader_of
from lmcli.errors import InputError, MachineError, UsageError

_ARCHIVES = (".zip", ".tar", ".tgz", ".7z", ".rar", ".tar.gz", ".tar.zst", ".tar.xz", ".tar.bz2")
_SEEKABLE_ONLY = ("parquet", "arrow")
_NOT_SHOWN = re.compile("[\\\\\x00-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Source:
    """One input file, or a data set with no single file behind it (`path` None; `folder` if it lies in a local one).

    `label` is the same on every machine for files of the project: "corpus/a.txt", "pydoc:json.decoder", "hf:a/b:train".
    `mixture` names the part of a mixture that it belongs to, "" where there is none.
    """

    label: str
    path: Path | None
    reader: str
    mixture: str = ""
    folder: Path | None = None


def resolve(inputs: Sequence[str], root: Path, format: str = "auto") -> tuple[Source, ...]:
    """The sources that `inputs` name, each once, sorted by the bytes of their labels. Relative paths start at `root`.

    A file that is named is read whatever its suffix (as txt if that is unknown); in folders only known suffixes count,
    and hidden files don't. With a `format` other than auto every file counts and is read as that. Raises InputError,
    naming path or pattern, for what is missing, unreadable, no regular file, a dangling or circular link, and when
    nothing is left to read.
    """
    if not inputs:
        raise UsageError("no input is given", "name files, folders or globs, such as corpus/")
    finder = _Finder(root, None if format == "auto" else format)
    found: dict[str, Source] = {}
    for item in inputs:
        for source in finder.find(item):
            found.setdefault(source.label, source)
    return tuple(found[label] for label in sorted(found, key=os.fsencode))


def files_behind(source: Source) -> Iterator[tuple[str, Path | None]]:
    """What decides the content of a source, as (stable name, path): its file, or all files of its folder."""
    if source.folder is None:
        yield source.label, source.path
        return
    for folder, below, names in os.walk(source.folder):
        below.sort()
        for name in sorted(names):
            path = Path(folder, name)
            yield f"{source.label}/{_shown(path.relative_to(source.folder).as_posix())}", path


@dataclass(frozen=True)
class _Finder:
    """Finds files below `root`; `format` is the reader that all of them get, None when their names decide."""

    root: Path
    format: str | None

    def find(self, item: str) -> Iterable[Source]:
        if item == "-":
            hint = "name it on the command line, which keeps what it reads as a file: cat FILE | lmcli clean -"
            raise InputError("- stands for standard input, which is gone when a project is made again", hint)
        if item == "pydoc:" or item.startswith("pydoc:"):
            from lmcli.corpus.readers.pydoc import sources

            return sources(item)
        if item.startswith("hf:"):
            return [self._data_set(item)]
        start = os.path.join(self.root, item)  # noqa: PTH118 - a Path would lose "..", which a link gives a meaning
        if os.path.lexists(start):
            return self._beneath(start)
        if glob.has_magic(item):
            return self._matches(item)
        raise InputError(f"there is no {item}", _same_letters(start) or f"looked for {start}")

    def _data_set(self, item: str) -> Source:
        """A data set of the hub; one that is named like a path is a local folder."""
        name, _, _ = item.removeprefix("hf:").partition(":")
        if not name.startswith((".", "/")):
            return Source(item, None, "hf")
        folder = os.path.join(self.root, name)  # noqa: PTH118
        if not stat.S_ISDIR(_status(folder).st_mode):
            raise InputError(f"{item}: {folder} is no folder", "name a file without hf:")
        return Source(item, None, "hf", folder=Path(folder))

    def _matches(self, pattern: str) -> list[Source]:
        """The files of a glob; "*.log" names a suffix, so its matches count as named, those of "*" and "**" don't."""
        names = sorted(glob.glob(pattern, root_dir=self.root, recursive=True), key=os.fsencode)  # noqa: PTH207
        named = bool(Path(pattern).suffix)
        found: list[Source] = []
        for name in names:
            path = os.path.join(self.root, name)  # noqa: PTH118
            if os.path.isdir(path):  # noqa: PTH112
                found += () if "**" in pattern else self._walk(path, ())
            elif named or self.format or reader_of(os.path.basename(name)):  # noqa: PTH119
                found.append(self._named(path))
        if not found:
            raise InputError(f"nothing matches {pattern}", f"looked in {self.root}")
        return found

    def _beneath(self, path: str) -> list[Source]:
        if not stat.S_ISDIR(_status(path).st_mode):
            return [self._named(path)]
        found = list(self._walk(path, ()))
        if not found:
            message = f"no file in {self._label(path)} has a known suffix"
            suffixes = " ".join(f"*{suffix}" for suffix in SUFFIXES)
            raise InputError(message, f"looked for {suffixes} and compressed ones; --format reads every file")
        return found

    def _walk(self, folder: str, parents: tuple[tuple[int, int], ...]) -> Iterator[Source]:
        """The files of a folder. The kind of an entry comes with its name, so that a plain file costs no `stat`."""
        status = _status(folder)
        here = (status.st_dev, status.st_ino)
        if here in parents:
            raise InputError(f"{folder} is a link to a folder that it lies in", "remove the link")
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            raise _unreadable(folder, error) from None
        prefix = _slashed(self._label(folder))
        for entry in listed:
            if entry.name.startswith("."):
                continue
            is_link = entry.is_symlink()
            if (is_link or entry.is_dir()) and stat.S_ISDIR(_status(entry.path).st_mode):
                yield from self._walk(entry.path, (*parents, here))
            elif reader := self.format or reader_of(entry.name):
                is_plain = not is_link and entry.is_file()
                yield self._file(entry.path, prefix + _shown(entry.name), reader, is_plain)

    def _named(self, path: str) -> Source:
        """A file that the user points at, rather than at the folder that it lies in."""
        label = self._label(path)
        if path.lower().endswith(_ARCHIVES):
            raise InputError(f"{label} is an archive", "unpack it and name the folder")
        return self._file(path, label, self.format or reader_of(os.path.basename(path)) or "txt", False)  # noqa: PTH119

    def _file(self, path: str, label: str, reader: str, is_plain: bool) -> Source:
        """A file that can be read, as a source; `is_plain` if that is known already."""
        if not is_plain and not stat.S_ISREG(_status(path).st_mode):
            raise InputError(f"{label} is no regular file", "only files and folders are read")
        if not os.access(path, os.R_OK):
            raise InputError(f"can't read {label}: permission denied", "check its permissions")
        if reader in _SEEKABLE_ONLY and not self.format and not path.lower().endswith(f".{reader}"):
            raise InputError(f"{label} is compressed as a whole", f"{reader} is compressed inside: unpack this file")
        return Source(label, Path(path), reader)

    def _label(self, path: str) -> str:
        """The path from `root` when it lies below, else the absolute one."""
        absolute = os.path.abspath(path)  # noqa: PTH100 - links must stay as they are named
        base = os.path.abspath(self.root)  # noqa: PTH100
        if absolute == base:
            return "."
        return _shown(absolute.removeprefix(_slashed(base)))


def _slashed(folder: str) -> str:
    return "" if folder == "." else folder if folder.endswith("/") else f"{folder}/"


def _shown(name: str) -> str:
    """A file name as one line of text, another one for each name: what can't be shown as \\xff, a backslash doubled."""
    if not _NOT_SHOWN.search(name):
        return name
    return _NOT_SHOWN.sub(lambda match: "\\\\" if match[0] == "\\" else f"\\x{ord(match[0]) & 0xFF:02x}", name)


def _same_letters(path: str) -> str | None:
    """A hint when the folder holds a file of that name with its accents composed in another way."""
    folder, wanted = os.path.split(path)
    try:
        names = os.listdir(folder)  # noqa: PTH208 - names only
    except OSError:
        return None
    near = [name for name in names if unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", wanted)]
    return "its name is written in another Unicode form on the disk: name its folder, or use a glob" if near else None


def _status(path: str) -> os.stat_result:
    try:
        return os.stat(path)  # noqa: PTH116 - called for each of many files
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: str, error: OSError) -> InputError | MachineError:
    if error.errno == errno.ENOENT and os.path.islink(path):  # noqa: PTH114
        return InputError(f"{path} is a link to something that is gone", "remove the link or restore its target")
    if error.errno == errno.ELOOP:
        return InputError(f"{path} is a link that leads back to itself", "remove the link")
    if error.errno == errno.EIO:
        return MachineError(f"can't read {path}: {error.strerror}", "check the disk")
    return InputError(f"can't read {path}: {error.strerror}", "check the path and its permissions")
