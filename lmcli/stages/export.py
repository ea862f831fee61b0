"""export: a model in the form that other programs read, compared with what it computes here before it is published."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lmcli.config import dump
from lmcli.interchange.config import ExportConfig
from lmcli.interchange.formats import FORMATS, Format, check_settings, precision
from lmcli.project.config import ProjectConfig
from lmcli.project.lock import Entry, Manifest
from lmcli.project.project import Project
from lmcli.project.stage import Artifact, Input, Made, Stage, Work
from lmcli.stages import models
from lmcli.stages.kind import Kind, Request, named_tables
from lmcli.units import size

if TYPE_CHECKING:
    from lmcli.interchange.source import Source

REVISION = 1
_READ = 4096
"""Tokens of validation text from which the check takes what it needs."""


def assemble(request: Request) -> Stage:
    config: ExportConfig = request.section(f"export.{request.name}")
    check_settings(config)
    model = models.reference(request, config.model)
    inputs: dict[str, Input] = {"model": model.input}
    if "tokens" in request.project.manifest().entries:
        inputs["tokens"] = Artifact("tokens")

    def build(work: Work) -> Made:
        from lmcli.interchange.checking import require
        from lmcli.interchange.packages import needed

        form: Format = FORMATS.load(config.format)
        for module, extra in form.packages.items():
            needed(module, extra)
        source = _source(work, model, config)
        form.write(source, config, work.out)
        work.progress.say("reading it again, to compare what it computes")
        checks = form.check(source, config, work.out)
        require(checks, work.name)
        report = {
            "model": model.label(work, "model"),
            "format": config.format,
            "precision": precision(config),
            "checks": [check.to_json() for check in checks],
            "parameters": sum(parameter.numel() for parameter in source.model.parameters()),
        }
        return Made(report)

    return Stage(
        name=request.name,
        kind="export",
        revision=REVISION,
        requested={"export": dump(config)},
        inputs=inputs,
        build=build,
        overrides=request.own.overrides,
        pinned=frozenset(("tokens",)),  # they are what the check reads, no part of what is written
        accepts_stale=True,
        command=f"lmcli export {config.format} --name {request.name}",
    )


def _source(work: Work, model: models.ModelReference, config: ExportConfig) -> Source:
    from lmcli.interchange.source import Source
    from lmcli.models.directory import read_config
    from lmcli.stages import lineage, model_card

    directory = model.directory(work, "model")
    manifest = Project(work.root).manifest()
    entry = manifest.entries.get(work.records["model"].of or "")
    named = read_config(directory).get("architectures") or [""]
    papers = {}
    if entry is None:
        card = _own_card(directory) or model_card.bare_card(directory.name, str(named[0]))
    else:
        card = model_card.card(entry, manifest, work.root, str(named[0]))
        excerpt = lineage.excerpt(entry, manifest)
        papers["manifest.json"] = json.dumps(excerpt, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    name = entry.name if entry else directory.name
    return Source.load(name, directory, _text(work, manifest) or config.prompt, card=card, papers=papers)


def _own_card(directory: Path) -> str | None:
    path = directory / "README.md"
    return path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None


def _text(work: Work, manifest: Manifest) -> str | None:
    """The beginning of the validation text; None where there is none, or no tokenizer that reads it any more."""
    from lmcli.tokens.shards import TokenStream
    from lmcli.tokens.tokenizer import Tokenizer

    if "tokens" not in work.inputs:
        return None
    stream = TokenStream.open(work.inputs["tokens"], "validation")
    encoded, entry = manifest.entries["tokens"].inputs["tokenizer"], manifest.entries.get("tokenizer")
    if not len(stream) or entry is None or entry.digest != encoded.digest:
        return None
    tokenizer = Tokenizer.load(Project(work.root).directory(entry))
    return tokenizer.decode(stream.take(0, min(_READ, len(stream))).tolist())


def summary(entry: Entry, directory: Path) -> Sequence[str]:
    from lmcli.interchange.checking import in_words

    report = entry.report
    head = f"{report['model']} as {report['format']}, {report['precision']}, {size(entry.bytes)}"
    return [head, *map(in_words, report["checks"])]


EXPORT = Kind(
    "export",
    lambda name: {"project": ProjectConfig, f"export.{name}": ExportConfig},
    named_tables("export"),
    assemble,
    summary,
)
