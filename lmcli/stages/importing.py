"""import: a Hugging Face directory, or a model of the hub, as a model of the project."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lmcli.config import dump
from lmcli.errors import ConfigError
from lmcli.interchange import hub
from lmcli.interchange.config import ImportConfig
from lmcli.project.config import ProjectConfig
from lmcli.project.digests import Digests
from lmcli.project.lock import Entry
from lmcli.project.stage import Files, Made, Stage, Work
from lmcli.stages.kind import Kind, Request, named_tables

REVISION = 1


def assemble(request: Request) -> Stage:
    config: ImportConfig = request.section(f"import.{request.name}")
    if not config.source:
        raise ConfigError(f"import.{request.name} names no source", "a Hugging Face directory or hf:OWNER/NAME")
    requested = {"import": dump(config)}
    path = request.project.root / config.source

    def build(work: Work) -> Made:
        from lmcli.interchange.importing import files_of, take_in
        from lmcli.models.directory import save_model
        from lmcli.stages.publishing import card_of, family_of

        folder, commit = path, ""
        if hub.is_named(config.source):
            work.progress.say(f"reading {config.source} of the Hugging Face hub")
            folder, commit = hub.fetch(config.source, config.revision)
        found = take_in(folder, config.source, work.out, work.progress)
        files = {str(file.relative_to(folder)): Digests().file(file)[1] for file in files_of(folder)}
        report: dict[str, Any] = {
            "about": f"Imported from {config.source}{f' ({commit})' if commit else ''}.",
            "source": config.source,
            "commit": commit,
            "files": files,
            "licence": found.licence,
            "model": {"family": family_of(found.model), "context": found.model.shape.context},
            "parameters": sum(parameter.numel() for parameter in found.model.parameters()),
            "dtype": found.dtype,
            "drawn": list(found.drawn),
        }
        card = card_of(work, requested, Made(report), found.model, "import")
        save_model(found.model, work.out, work.out, dtype=found.dtype, card=card)
        return Made(report)

    return Stage(
        name=request.name,
        kind="import",
        revision=REVISION,
        requested=requested,
        inputs={"source": _input(config, path)},
        build=build,
        overrides=request.own.overrides,
        # What was taken in stays when the directory is gone.
        pinned=frozenset() if hub.is_named(config.source) or path.exists() else frozenset(("source",)),
        command=f"lmcli import {config.source} --name {request.name}",
    )


def _input(config: ImportConfig, path: Path) -> Files:
    """The files of the directory; of the hub the name stands alone."""

    def find() -> list[tuple[str, Path | None]]:
        if hub.is_named(config.source):
            return [(f"{config.source}@{config.revision}", None)]
        from lmcli.interchange.importing import files_of

        return [(file.relative_to(path).as_posix(), file) for file in files_of(path)]

    return Files(find)


def summary(entry: Entry, directory: Path) -> Sequence[str]:
    report: Mapping[str, Any] = entry.report
    licence = f", licence {report['licence']}" if report["licence"] else ""
    lines = [
        f"{report['model']['family']} from {report['source']}: {report['parameters']:,} parameters, {report['dtype']}, "
        f"context {report['model']['context']}{licence}"
    ]
    if report["drawn"]:
        lines.append(f"not in it, and as in a new model: {', '.join(report['drawn'][:3])}")
    return lines


IMPORT = Kind(
    "import",
    lambda name: {"project": ProjectConfig, f"import.{name}": ImportConfig},
    named_tables("import"),
    assemble,
    summary,
)
