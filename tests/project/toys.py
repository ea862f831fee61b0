"""A project of two small stages: `letters` upper-cases the files of corpus/, `words` counts what `letters` wrote."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from lmcli.errors import InputError
from lmcli.project import durable
from lmcli.project.project import Project
from lmcli.project.runner import Outcome, Runner
from lmcli.project.stage import Artifact, Files, Graph, Made, Stage, Work


def make_project(root: Path, files: Mapping[str, str] | None = None) -> Project:
    """A project whose corpus/ holds `files`."""
    (root / "corpus").mkdir(parents=True)
    (root / "lmcli.toml").write_text("")
    for name, text in (files or {"a.txt": "one two", "b.txt": "three"}).items():
        (root / "corpus" / name).write_text(text)
    return Project(root)


def corpus_of(root: Path) -> Callable[[], Sequence[tuple[str, Path | None]]]:
    def find() -> Sequence[tuple[str, Path | None]]:
        found = sorted(path for path in (root / "corpus").rglob("*") if path.is_file())
        if not found:
            raise InputError("no files in corpus/", "put text there")
        return [(path.relative_to(root).as_posix(), path) for path in found]

    return find


def build_letters(work: Work) -> Made:
    durable.mkdir(work.out / "data")
    names = sorted((work.root / "corpus").glob("*.txt"))
    for path in names:
        with durable.create(work.out / "data" / path.name) as file:
            file.write(path.read_bytes().upper())
    durable.write(work.out / "names.json", json.dumps([path.name for path in names]))
    return Made({"files": len(names)}, {"shards": 1})


def build_words(work: Work) -> Made:
    words = [word for path in sorted((work.inputs["letters"] / "data").iterdir()) for word in path.read_text().split()]
    durable.write(work.out / "words.txt", "\n".join(words))
    return Made({"words": len(words)})


def make_graph(project: Project, **changes: Mapping[str, Any]) -> Graph:
    """`letters` <- corpus/, `words` <- letters; `changes` replace attributes of the stage of that name."""
    letters = Stage(
        "letters", "letters", 1, {"upper": True}, {"corpus": Files(corpus_of(project.root))}, build_letters,
        command="toy letters",
    )  # fmt: skip
    words = Stage("words", "words", 1, {"sort": {"by": "name"}}, {"letters": Artifact("letters")}, build_words)
    return {stage.name: replace(stage, **changes.get(stage.name, {})) for stage in (letters, words)}


def make_all(project: Project, **changes: Mapping[str, Any]) -> list[Outcome]:
    """Run the whole graph the way a command does, as a process that knows nothing of earlier ones."""
    fresh = Project(project.root)
    with fresh.writing():
        return Runner(fresh, make_graph(fresh, **changes)).run(["words"])


def states(project: Project, **changes: Mapping[str, Any]) -> dict[str, str]:
    """What `status` would say: stage -> verdict in words."""
    fresh = Project(project.root)
    return {name: str(verdict) for name, verdict in Runner(fresh, make_graph(fresh, **changes)).verdicts().items()}


def tree_bytes(root: Path) -> dict[str, bytes]:
    """Relative path -> content of every file below `root`."""
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def files_of(project: Project) -> list[Path]:
    """All files but the caches in .lmcli/."""
    return [path for path in project.root.rglob("*") if path.is_file() and project.cache not in path.parents]


def generations(project: Project, count: int) -> list[str]:
    """Make the chain for `count` different corpora; the paths of `letters`, oldest first."""
    paths = []
    for number in range(count):
        (project.root / "corpus" / "b.txt").write_text(f"version {number}")
        make_all(project)
        paths.append(project.entry("letters").path)
    return paths
