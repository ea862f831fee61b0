"""A model of power loss: what may be on the disk when the machine stops between two durable operations.

A file's content is certain only from its fsync on, a name only from the fsync of its directory on. For each operation
of an action, `for_each_power_loss` builds the directories that the disk may then hold (all that is not synced is lost;
the names made it, the contents did not; a mixture) and lets `check(root)` judge each.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults import Action, scratch, watched

Names = dict[int, dict[str, int]]  # inode of a directory -> name -> inode
Data = dict[int, bytes]  # inode of a file -> content


@dataclass
class _Tree:
    names: Names = field(default_factory=dict)
    data: Data = field(default_factory=dict)


@dataclass(frozen=True)
class _Moment:
    before: str
    live: _Tree
    synced: _Tree


class _Disk:
    """Follows an action below `root`: what a reader sees (`live`) and what a power loss can't take away (`synced`)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.moments: list[_Moment] = []
        self._held: dict[int, int] = {}  # inode -> open descriptor, so that no number is given out twice
        self._synced = self._scan()
        self._due: Callable[[_Tree], None] = lambda live: None

    def __call__(self, operation: str, path: Path) -> None:
        live = self.settle(f"{operation} {path.name}")
        if operation == "fsync":
            inode = path.stat().st_ino
            self._due = lambda after: self._synced.data.update({inode: after.data[inode]})
        elif operation == "fsync_directory":
            inode = path.stat().st_ino
            self._due = lambda after: self._synced.names.update({inode: live.names[inode]})
        else:
            self._due = lambda after: None

    def settle(self, before: str) -> _Tree:
        """Take note of what the last operation did."""
        live = self._scan()
        self._due(live)
        self.moments.append(_Moment(before, live, _Tree(dict(self._synced.names), dict(self._synced.data))))
        return live

    def close(self) -> None:
        for descriptor in self._held.values():
            os.close(descriptor)

    def _scan(self) -> _Tree:
        tree = _Tree()
        for folder, _, _ in os.walk(self.root):
            entries = {entry.name: entry for entry in os.scandir(folder)}
            tree.names[self._hold(Path(folder))] = {name: entry.inode() for name, entry in entries.items()}
            for name, entry in entries.items():
                if entry.is_file():
                    tree.data[self._hold(Path(folder, name))] = Path(folder, name).read_bytes()
        return tree

    def _hold(self, path: Path) -> int:
        inode = path.stat().st_ino
        if inode not in self._held:
            self._held[inode] = os.open(path, os.O_RDONLY)
        return inode


def for_each_power_loss(snapshot: Path, action: Action, check: Callable[[Path, str], None], mixtures: int = 2) -> int:
    """The number of disks that were judged; `check` also gets a text that says which one it is."""
    judged = 0
    with scratch() as home:
        shutil.copytree(snapshot, home / "live")
        for text, build in _disks(home / "live", action, mixtures):
            root = home / "disk"
            shutil.rmtree(root, ignore_errors=True)
            build(root)
            judged += 1
            try:
                check(root, text)
            except BaseException as error:
                error.add_note(f"after a power loss {text}")
                raise
    return judged


def _disks(live: Path, action: Action, mixtures: int) -> Iterator[tuple[str, Callable[[Path], None]]]:
    disk = _Disk(live)
    root = live.stat().st_ino
    try:
        with watched(disk):
            action(live)
        disk.settle("the end")
    finally:
        disk.close()
    for number, moment in enumerate(disk.moments):
        for kind in ("all unsynced is lost", "names without contents", *(f"mixture {n}" for n in range(mixtures))):
            chance = {"all unsynced is lost": 1.0, "names without contents": 0.0}.get(kind, 0.5)
            rng = random.Random(f"{number} {kind}")
            yield (
                f"before {moment.before} ({kind})",
                lambda target, moment=moment, chance=chance, rng=rng: _build(target, root, moment, chance, rng),
            )


def _build(target: Path, inode: int, moment: _Moment, lost: float, rng: random.Random) -> None:
    """Write the directory `inode`; with chance `lost` it holds only the names that were synced."""
    target.mkdir()
    synced = moment.synced.names.get(inode, {})
    names = synced if rng.random() < lost else moment.live.names.get(inode, synced)
    for name, below in names.items():
        if below in moment.synced.names or below in moment.live.names:
            _build(target / name, below, moment, lost, rng)
        else:
            content = moment.synced.data.get(below)
            (target / name).write_bytes(bytes(len(moment.live.data.get(below, b""))) if content is None else content)
