"""What a stage is: a name, the settings asked for, what it reads and the call that makes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lmcli.errors import ArtifactError
from lmcli.progress import Progress
from lmcli.project.digests import Digests, Listing, listing_of
from lmcli.project.lock import InputRecord, Override


@dataclass(frozen=True)
class Artifact:
    """An input that another stage of the project makes."""

    name: str


@dataclass(frozen=True)
class Files:
    """An input from outside: `find` gives (stable name, path) pairs; a path of None stands for a named data set.

    `find` raises InputError when there is nothing to read; it is called when digests are compared, not before.
    """

    find: Callable[[], Sequence[tuple[str, Path | None]]]

    def listing(self, digests: Digests) -> Listing:
        return listing_of(
            (name, *digests.file(path)) if path is not None else (name, 0, "") for name, path in self.find()
        )


Input = Artifact | Files


@dataclass(frozen=True)
class Work:
    """What a stage's `build` is handed: where to write, and the checked directories of the artifacts it reads.

    `started` is when the command began (`time.monotonic()`), for stages with a time budget; `workers` is a count of
    processes or threads and changes no result; `force` means that nothing kept from an earlier try may be used.
    """

    name: str
    key: str
    out: Path
    root: Path
    inputs: Mapping[str, Path]
    records: Mapping[str, InputRecord]
    progress: Progress
    started: float = 0.0
    workers: int = 1
    force: bool = False


@dataclass(frozen=True)
class Made:
    """What a stage's `build` gives back for the lock: headline figures, and the plan that `auto` came to."""

    report: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stage:
    """One node of the graph. `requested` (JSON values) and `inputs` make its key; `build` fills an empty directory."""

    name: str
    kind: str
    revision: int
    requested: Mapping[str, Any]
    inputs: Mapping[str, Input]
    build: Callable[[Work], Made]
    overrides: Mapping[str, Override] = field(default_factory=dict)
    seed: int | None = None
    pinned: frozenset[str] = frozenset()
    """Inputs that are recorded, but whose change leaves the artifact fresh."""
    accepts_stale: bool = False
    """Whether it may read artifacts that are themselves stale (with a warning)."""
    command: str = ""
    """The command that makes it, for hints."""
    assist: Callable[[Work], object] | None = None
    """What other processes of the same command do while `build` runs in the first; they write nothing."""


Graph = Mapping[str, Stage]


def downstream_order(graph: Graph, targets: Sequence[str]) -> list[str]:
    """The targets and all that they read, inputs first. Raises ArtifactError for a circle or an unknown name."""
    order: list[str] = []
    visiting: set[str] = set()

    def visit(name: str, wanted_by: str) -> None:
        if name in order:
            return
        if name not in graph:
            raise ArtifactError(f"{wanted_by} needs {name}, which nothing makes", f"name one of: {', '.join(graph)}")
        if name in visiting:
            raise ArtifactError(f"{name} is made from itself", "change the base or model that lmcli.toml names")
        visiting.add(name)
        for item in graph[name].inputs.values():
            if isinstance(item, Artifact):
                visit(item.name, name)
        order.append(name)

    for target in targets:
        visit(target, "the project")
    return order
