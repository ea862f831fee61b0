"""Which model a stage reads: an artifact of the project by its name, or any Hugging Face directory by its path."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from lmcli.errors import InputError, did_you_mean
from lmcli.project.project import Project
from lmcli.project.stage import Artifact, Files, Input, Work
from lmcli.stages.kind import Request

MODEL_KINDS = ("train", "finetune", "grow", "import")


@dataclass(frozen=True)
class ModelReference:
    """A model as it was named, and as an input of a stage."""

    name: str
    input: Input
    root: Path

    def directory(self, work: Work, key: str) -> Path:
        """Where its files lie while a stage is being made; `key` is the input's name in that stage."""
        return work.inputs[key] if isinstance(self.input, Artifact) else self.root / self.name

    def label(self, work: Work, key: str) -> str:
        """The name with the digest of what it holds, for reports."""
        return f"{self.name} ({work.records[key].digest[:8]})"


def reference(request: Request, name: str) -> ModelReference:
    """The model that `name` means; empty is the project's default. What isn't there is found out when it is read."""
    name = name or request.section("project").default_model
    root = request.project.root
    if request.kinds.get(name) in MODEL_KINDS:
        return ModelReference(name, Artifact(name), root)
    models = [other for other, kind in request.kinds.items() if kind in MODEL_KINDS]
    return ModelReference(name, Files(lambda: directory_files(root, name, models)), root)


def lineage(request: Request, name: str) -> list[str]:
    """The model `name` and the project's models that it is made from, nearest first; empty where it is a directory."""
    found: list[str] = []
    while request.kinds.get(name) in MODEL_KINDS and name not in found:
        found.append(name)
        name = _base_of(request, name)
    return found


def _base_of(request: Request, name: str) -> str:
    """The model from which the settings of an artifact say that it is made; empty for none."""
    kind, sections = request.kinds[name], request.resolved[name].sections
    if kind == "train":
        return str(sections["train"].continue_from)
    if kind == "import":
        return ""
    base = sections[f"finetune.{name}"].base if kind == "finetune" else sections[f"grow.{name}"].model
    return str(base or sections["project"].default_model)


def directory_files(root: Path, name: str, models: Sequence[str]) -> list[tuple[str, Path | None]]:
    """The files of a model directory outside the project's artifacts. Raises InputError when it is none."""
    path = root / name
    if not (path / "config.json").is_file():
        hint = did_you_mean(name, models) or f"name a folder with a config.json, or one of: {', '.join(models)}"
        raise InputError(f"no model named {name}", hint)
    return [(item.name, item) for item in sorted(path.iterdir()) if item.is_file() and not item.name.startswith(".")]


def find(project: Project, name: str, kinds: Mapping[str, str]) -> Path:
    """The checked directory of a model for reading, outside of any stage."""
    if kinds.get(name) in MODEL_KINDS:
        return project.directory(project.entry(name))
    models = [other for other, kind in kinds.items() if kind in MODEL_KINDS]
    directory_files(project.root, name, models)
    return project.root / name
