"""`verify` re-hashes everything; `gc` removes what neither the lock nor its history names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lmcli.project import busy, durable, freshness
from lmcli.project.digests import Digests
from lmcli.project.lock import Manifest
from lmcli.project.project import Project


@dataclass(frozen=True)
class Verification:
    """Artifacts whose files are as they were made, those that are not, and what is left over from broken commands."""

    sound: tuple[str, ...]
    damaged: tuple[str, ...]
    leftovers: tuple[str, ...]


def verify(project: Project) -> Verification:
    """Read every byte of every artifact, earlier generations included; no cache is trusted."""
    manifest = project.manifest()
    digests = Digests()
    sound, damaged = [], []
    for place, expected in sorted(manifest.paths().items()):
        path = project.root / place
        if not path.is_dir():
            damaged.append(f"{place} is missing")
        elif not digests.holds(path, expected):
            damaged.append(f"{place} is damaged")
        else:
            sound.append(place)
    damaged += _damaged_sources(project, manifest)
    return Verification(tuple(sound), tuple(damaged), tuple(_names(project, garbage(project, manifest))))


def _damaged_sources(project: Project, manifest: Manifest) -> list[str]:
    found = []
    for digest in sorted(_listings(manifest)):
        path = freshness.sources_path(project, digest)
        if path.exists() and Digests().file(path)[1] != digest:
            found.append(f"{path.relative_to(project.root)} is damaged")
    return found


def _listings(manifest: Manifest) -> set[str]:
    return {record.digest for entry in manifest.entries.values() for record in entry.inputs.values() if not record.of}


def garbage(project: Project, manifest: Manifest) -> list[Path]:
    """Directories below artifacts/ that nothing names, and temporary files of commands that were killed."""
    kept = {project.root / place for place in manifest.paths()}
    kept |= {freshness.sources_path(project, digest).parent for digest in _listings(manifest)}
    found = [path for path in sorted(project.artifacts.glob("*/*")) if path not in kept]
    for folder in (project.root, project.cache, *sorted((project.artifacts / "sources").glob("*"))):
        found += [path for path in sorted(folder.glob(f"{durable.TEMPORARY}*")) if path.parent not in found]
    found += [path for path in sorted(project.runs.glob(f"**/{durable.TEMPORARY}*")) if not busy.in_use(path.parent)]
    return found


@dataclass(frozen=True)
class Collected:
    removed: tuple[str, ...]
    bytes: int


def gc(project: Project, *, dry_run: bool = False) -> Collected:
    """Remove the garbage. The caller holds `project.writing()`, so nothing of a running command is in it."""
    manifest = project.manifest()
    found = garbage(project, manifest)
    size = sum(_size(path) for path in found)
    if not dry_run:
        for path in found:
            if path.is_dir() and not path.is_symlink():
                durable.remove_tree(path)
            else:
                durable.unlink(path)
    return Collected(tuple(_names(project, found)), size)


def _names(project: Project, paths: list[Path]) -> list[str]:
    return [path.relative_to(project.root).as_posix() for path in paths]


def _size(path: Path) -> int:
    if path.is_dir() and not path.is_symlink():
        return sum(item.stat().st_size for item in path.rglob("*") if item.is_file())
    return path.lstat().st_size
