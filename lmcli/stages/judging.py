"""The model that the filter quality.perplexity judges by: an input of `clean`, and never a product of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from lmcli.corpus.config import CleanConfig
from lmcli.errors import ConfigError
from lmcli.project.project import Project
from lmcli.project.stage import Artifact, Input, Work
from lmcli.stages import models
from lmcli.stages.kind import Request

KEY = "model"
"""Its name among the inputs of `clean`."""


def inputs(config: CleanConfig, request: Request) -> dict[str, Input]:
    """The model as an input of the stage. Raises ConfigError for one that is made from the cleaned corpus."""
    name = _name(config)
    if not name:
        return {}
    found = models.reference(request, name)
    if isinstance(found.input, Artifact) and _is_made_from(request, name, request.name, set()):
        place = request.project.document.place("clean.filters")
        raise ConfigError(
            f"{place}: quality.perplexity judges by {name}, which is itself made from the cleaned corpus",
            f"copy the model out of the artifacts and name that folder: {_copying(request.project, name)}",
            "clean.filters",
        )
    return {KEY: found.input}


def _is_made_from(request: Request, name: str, wanted: str, seen: set[str]) -> bool:
    """Whether the artifact `wanted` is among what `name` is made from, near or far."""
    from lmcli.stages.graph import KINDS

    if name == wanted:
        return True
    if name in seen or name not in request.kinds:
        return False
    seen.add(name)
    stage = KINDS.load(request.kinds[name]).assemble(replace(request, name=name))
    above = [item.name for item in stage.inputs.values() if isinstance(item, Artifact)]
    return any(_is_made_from(request, other, wanted, seen) for other in above)


def _copying(project: Project, name: str) -> str:
    entry = project.manifest().entries.get(name)
    path = entry.path if entry else f"artifacts/{name}/..."
    return f'`cp -r {path} judge`, then model = "judge"'


def directory(config: CleanConfig, work: Work) -> Path | None:
    """Where the model lies while the stage is being made; None where none is needed."""
    name = _name(config)
    return (work.inputs.get(KEY) or work.root / name) if name else None


def find(config: CleanConfig, project: Project) -> Path | None:
    """The checked directory of the model, outside of the stage. Raises InputError when it is none."""
    name = _name(config)
    if not name:
        return None
    entries = project.manifest().entries.values()
    return models.find(project, name, {entry.name: entry.stage for entry in entries})


def _name(config: CleanConfig) -> str:
    from lmcli.corpus.recipe import model_of

    return model_of(config) or ""


def tools(directory: Path | None) -> Mapping[str, Any]:
    """What filters are handed, see `recipe.chain_of`."""
    if directory is None:
        return {}
    from lmcli.evaluation.scorer import Perplexity

    return {"perplexity": Perplexity(directory)}
