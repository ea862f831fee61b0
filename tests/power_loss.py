"""A model of power loss: what may be on the disk when the machine stops in the middle of an action.

A file's content is certain only from its fsync on, a name only from the fsync of its directory on. Before each durable
operation of the action and after each fsync, `for_each_power_loss` builds the directories that the disk may then hold
(all that is not synced is lost; the names made it, the contents did not; mixtures), and `check(root)` judges each.
"""

from __future__ import annotations

import os
import random
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.faults import Action, scratch, watched

LOST = "all unsynced is lost"
EMPTY = "names without contents"


@dataclass
class _Tree:
    """Directories (inode -> name -> inode) and files (inode -> content)."""

    names: dict[int, dict[str, int]] = field(default_factory=dict)
    data: dict[int, bytes] = field(default_factory=dict)

    def copy(self) -> _Tree:
        return _Tree(dict(self.names), dict(self.data))


@dataclass(frozen=True)
class _Moment:
    text: str
    live: _Tree
    synced: _Tree


class _Disk:
    """Follows an action below `root`: what a reader sees (`live`) and what a power loss can't take away (`synced`)."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.moments: list[_Moment] = []
        self._held: dict[int, int] = {}  # inode -> open descriptor, so that no number is given out twice
        self._synced = self._scan()

    @contextmanager
    def following(self) -> Iterator[None]:
        """Every fsync of the process counts, whoever calls it."""
        fsync = os.fsync

        def followed(file: Any) -> None:
            fsync(file)
            self._sync(file if isinstance(file, int) else file.fileno())
            self.note("after an fsync")

        os.fsync = followed
        try:
            with watched(lambda operation, path: self.note(f"before {operation} {path.name}")):
                yield
            self.note("at the end")
        finally:
            os.fsync = fsync
            for descriptor in self._held.values():
                os.close(descriptor)

    def note(self, text: str) -> None:
        moment = _Moment(text, self._scan(), self._synced.copy())
        last = self.moments[-1] if self.moments else None
        if last is None or (last.live, last.synced) != (moment.live, moment.synced):
            self.moments.append(moment)

    def _sync(self, descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}")
        inode = self._hold(path)
        if stat.S_ISDIR(path.stat().st_mode):
            self._synced.names[inode] = {entry.name: entry.inode() for entry in os.scandir(path)}
        else:
            self._synced.data[inode] = path.read_bytes()

    def _scan(self) -> _Tree:
        tree = _Tree()
        for folder, _, files in os.walk(self.root):
            inode = self._hold(Path(folder))
            tree.names[inode] = {entry.name: entry.inode() for entry in os.scandir(folder)}
            for name in files:
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
        disk = _Disk(home / "live")
        with disk.following():
            action(home / "live")
        top = (home / "live").stat().st_ino
        for number, moment in enumerate(disk.moments):
            for kind in (LOST, EMPTY, *(f"mixture {n}" for n in range(mixtures))):
                shutil.rmtree(home / "disk", ignore_errors=True)
                _build(
                    home / "disk",
                    top,
                    moment,
                    {LOST: 1.0, EMPTY: 0.0}.get(kind, 0.5),
                    random.Random(f"{number} {kind}"),
                )
                judged += 1
                try:
                    check(home / "disk", f"{moment.text} ({kind})")
                except BaseException as error:
                    error.add_note(f"a power loss {moment.text} ({kind})")
                    raise
    return judged


def _build(target: Path, inode: int, moment: _Moment, lost: float, rng: random.Random) -> None:
    """Write the directory `inode`; with chance `lost` it holds only the names that were synced."""
    target.mkdir()
    synced = moment.synced.names.get(inode, {})
    names = synced if rng.random() < lost else moment.live.names.get(inode, synced)
    for name, below in sorted(names.items()):
        if below in moment.synced.names or below in moment.live.names:
            _build(target / name, below, moment, lost, rng)
        else:
            never = bytes(len(moment.live.data.get(below, b"")))
            (target / name).write_bytes(moment.synced.data.get(below, never))
