"""What a user names as input, resolved to the files behind it."""

from __future__ import annotations

import errno
import glob
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lmcli.corpus.readers import SUFFIXES, reader_of
from lmcli.errors import InputError, MachineError, UsageError

_ARCHIVES = (".zip", ".tar", ".tgz", ".7z", ".rar", ".tar.gz", ".tar.zst", ".tar.xz", ".tar.bz2")
_SEEKABLE_ONLY = ("parquet", "arrow")


@dataclass(frozen=True, slots=True)
class Source:
    """One input file, or a data set with no file behind it (`path` None).

    `label` is the same on every machine for files of the project: "corpus/a.txt", "pydoc:json.decoder", "hf:a/b:train".
    """

    label: str
    path: Path | None
    reader: str


def resolve(inputs: Sequence[str], root: Path) -> tuple[Source, ...]:
    """The sources that `inputs` name, each once, sorted by the bytes of their labels. Relative paths start at `root`.

    A file that is named is read whatever its suffix (as txt if that is unknown); in folders only known suffixes count,
    and hidden files don't. Raises InputError, naming path or pattern, for what is missing, unreadable, no regular file,
    a dangling or circular link, and when nothing is left to read.
    """
    if not inputs:
        raise UsageError("no input is given", "name files, folders or globs, such as corpus/")
    found: dict[str, Source] = {}
    for item in inputs:
        for source in _resolve(item, root):
            found.setdefault(source.label, source)
    return tuple(found[label] for label in sorted(found, key=os.fsencode))


def _resolve(item: str, root: Path) -> Iterable[Source]:
    if item == "pydoc:" or item.startswith("pydoc:"):
        from lmcli.corpus.readers.pydoc import sources

        return sources(item)
    if item.startswith("hf:"):
        return [Source(item, None, "hf")]
    start = os.path.join(root, item)  # noqa: PTH118 - a Path would lose "..", which a symbolic link gives a meaning
    if os.path.lexists(start):
        return _beneath(Path(start), root)
    if glob.has_magic(item):
        return _matches(item, root)
    raise InputError(f"there is no {item}", f"looked for {start}")


def _matches(pattern: str, root: Path) -> list[Source]:
    """The files of a glob; "*.log" names a suffix, so its matches count as named, those of "*" and "**" don't."""
    names = sorted(glob.glob(pattern, root_dir=root, recursive=True), key=os.fsencode)  # noqa: PTH207 - takes ".." too
    named = bool(Path(pattern).suffix)
    found: list[Source] = []
    for name in names:
        path = root / name
        if path.is_dir():
            found += () if "**" in pattern else _walk(path, root, ())
        elif named or reader_of(path.name):
            found.append(_file(path, root))
    if not found:
        raise InputError(f"nothing matches {pattern}", f"looked in {root}")
    return found


def _beneath(path: Path, root: Path) -> list[Source]:
    if not stat.S_ISDIR(_status(path).st_mode):
        return [_file(path, root)]
    found = list(_walk(path, root, ()))
    if not found:
        suffixes = " ".join(f"*{suffix}" for suffix in SUFFIXES)
        raise InputError(
            f"no file in {_label(path, root)} has a known suffix", f"looked for {suffixes} and compressed ones"
        )
    return found


def _walk(folder: Path, root: Path, parents: tuple[tuple[int, int], ...]) -> Iterator[Source]:
    status = _status(folder)
    here = (status.st_dev, status.st_ino)
    if here in parents:
        raise InputError(f"{folder} is a link to a folder that it lies in", "remove the link")
    try:
        names = sorted(os.listdir(folder), key=os.fsencode)  # noqa: PTH208 - names only
    except OSError as error:
        raise _unreadable(folder, error) from None
    for name in names:
        if name.startswith("."):
            continue
        path = folder / name
        is_link_or_folder = path.is_symlink() or path.is_dir()
        if is_link_or_folder and stat.S_ISDIR(_status(path).st_mode):
            yield from _walk(path, root, (*parents, here))
        elif reader_of(name):
            yield _file(path, root)


def _file(path: Path, root: Path) -> Source:
    """A file that can be read, as a source."""
    label = _label(path, root)
    if not stat.S_ISREG(_status(path).st_mode):
        raise InputError(f"{label} is no regular file", "only files and folders are read")
    if not os.access(path, os.R_OK):
        raise InputError(f"can't read {label}: permission denied", "check its permissions")
    if path.name.lower().endswith(_ARCHIVES):
        raise InputError(f"{label} is an archive", "unpack it and name the folder")
    reader = reader_of(path.name) or "txt"
    if reader in _SEEKABLE_ONLY and not path.name.lower().endswith(f".{reader}"):
        raise InputError(f"{label} is compressed as a whole", f"{reader} is compressed inside: unpack this file")
    return Source(label, path, reader)


def _status(path: Path) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise _unreadable(path, error) from None


def _unreadable(path: Path, error: OSError) -> InputError | MachineError:
    if error.errno == errno.ENOENT and path.is_symlink():
        return InputError(f"{path} is a link to something that is gone", "remove the link or restore its target")
    if error.errno == errno.ELOOP:
        return InputError(f"{path} is a link that leads back to itself", "remove the link")
    if error.errno == errno.EIO:
        return MachineError(f"can't read {path}: {error.strerror}", "check the disk")
    return InputError(f"can't read {path}: {error.strerror}", "check the path and its permissions")


def _label(path: Path, root: Path) -> str:
    """The path from `root` when it lies below, else the absolute one; bytes that aren't UTF-8 are shown as \\xff."""
    absolute = Path(os.path.abspath(path))  # noqa: PTH100 - links must stay as they are named
    base = Path(os.path.abspath(root))  # noqa: PTH100
    shown = absolute.relative_to(base) if absolute.is_relative_to(base) else absolute
    return os.fsencode(shown.as_posix()).decode("utf-8", "backslashreplace")
