"""Collects text that this machine has anyway: Python sources, documentation, manual pages.

    python benchmarks/corpus.py text --megabytes 60

Files with the same content are taken once, and those that are no UTF-8 or very large not at all. Kinds of text take
turns, so that a small corpus has some of each.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import itertools
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

PLACES = (
    "/usr/share/doc",
    "/usr/share/man",
    "/usr/share/common-licenses",
    "/usr/share/vim",
    "/usr/include",
    "/usr/lib",
)
PYTHON = (sys.prefix, sys.base_prefix, f"{Path.home()}/.local/lib")
KINDS = {
    "python": (".py", ".pyi"),
    "documentation": (".md", ".rst", ".txt", ".gz", ".html", ""),
    "other": (".h", ".hpp", ".js", ".ts", ".css", ".json", ".c", ".pl", ".tcl", ".vim"),
}
SMALLEST, LARGEST = 300, 2_000_000  # bytes
FOLDER = 1000  # files in a folder


def candidates(kind: str) -> Iterator[Path]:
    """The files of a kind, in an order that is the same each time."""
    for place in dict.fromkeys(str(Path(place).resolve()) for place in (*PYTHON, *PLACES)):
        for path in sorted(Path(place).rglob("*")) if Path(place).is_dir() else ():
            known = path.suffix in KINDS[kind] or (kind == "documentation" and "/man/" in str(path))
            if known and not path.is_symlink() and path.is_file():
                yield path


def text_of(path: Path) -> bytes | None:
    """The bytes of a file that is UTF-8 text of a fitting size."""
    try:
        data = path.read_bytes() if path.stat().st_size <= LARGEST else b""
        data = gzip.decompress(data) if path.suffix == ".gz" else data
        data.decode()
    except (OSError, ValueError, EOFError, zlib.error):
        return None
    return data if SMALLEST <= len(data) <= LARGEST and b"\0" not in data else None


def collect(wanted: int) -> Iterator[bytes]:
    """Texts of `wanted` bytes together, or all that there are."""
    seen: set[bytes] = set()
    total = 0
    for path in _in_turn([candidates(kind) for kind in KINDS]):
        data = text_of(path)
        digest = hashlib.blake2b(data or b"", digest_size=16).digest()
        if data is None or digest in seen:
            continue
        seen.add(digest)
        yield data
        total += len(data)
        if total >= wanted:
            return


def _in_turn(iterators: list[Iterator[Path]]) -> Iterator[Path]:
    """One of each, as long as there are any."""
    end = object()
    for row in itertools.zip_longest(*iterators, fillvalue=end):
        yield from (item for item in row if isinstance(item, Path))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a new folder, which gets the files")
    parser.add_argument("--megabytes", type=float, default=60)
    parser.add_argument("--whole", action="store_true", help="also write all of it as one file, FOLDER.txt")
    options = parser.parse_args()
    options.folder.mkdir(parents=True)
    files = size = 0
    for files, data in enumerate(collect(int(options.megabytes * 1e6)), 1):
        part = options.folder / f"{files // FOLDER:03d}"
        part.mkdir(exist_ok=True)
        (part / f"{files:06d}.txt").write_bytes(data)
        size += len(data)
    if options.whole:
        with options.folder.with_suffix(".txt").open("wb") as whole:
            whole.writelines(path.read_bytes() for path in sorted(options.folder.rglob("*.txt")))
    print(f"{options.folder}: {files:,} files, {size / 1e6:.1f} MB (wanted {options.megabytes:g})")


if __name__ == "__main__":
    main()
