"""The graph of a project: what lmcli.toml asks for, what the lock holds, and what the command at hand makes."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from lmcli import config
from lmcli.errors import ArtifactError, ConfigError, UsageError, did_you_mean
from lmcli.project import settings
from lmcli.project.config import ProjectConfig
from lmcli.project.document import Document
from lmcli.project.lock import Manifest
from lmcli.project.project import Project
from lmcli.project.settings import Given, Resolved
from lmcli.project.stage import Graph
from lmcli.registry import Registry
from lmcli.stages.kind import Kind, Request

KINDS = Registry(
    "stage",
    {
        "clean": "lmcli.stages.clean:CLEAN",
        "tokenizer": "lmcli.stages.tokenizer:TOKENIZER",
        "tokens": "lmcli.stages.tokens:TOKENS",
        "train": "lmcli.stages.train:TRAIN",
        "finetune": "lmcli.stages.finetune:FINETUNE",
        "grow": "lmcli.stages.grow:GROW",
        "import": "lmcli.stages.importing:IMPORT",
        "eval": "lmcli.stages.evaluate:EVALUATE",
        "generate": "lmcli.stages.generate:GENERATE",
        "export": "lmcli.stages.export:EXPORT",
    },
)
SINGLE = {"clean": "clean", "tokenizer": "tokenizer", "tokens": "tokens"}  # kinds with one artifact of a fixed name
RESERVED = {*SINGLE, "sources"}

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def kinds() -> dict[str, Kind]:
    return {name: KINDS.load(name) for name in KINDS}


def graph(project: Project, given: Given, targets: Mapping[str, str] | None = None) -> Graph:
    """Every artifact of the project as a stage, by name.

    `targets` (artifact name -> kind) are what the command at hand makes: they follow `given` alone. All others follow
    lmcli.toml, the environment and what the lock recorded. Raises ConfigError for tables that nothing reads.
    """
    known = kinds()
    found = requests(project, given, targets)
    return {name: known[request.kinds[name]].assemble(request) for name, request in found.items()}


def requests(project: Project, given: Given, targets: Mapping[str, str] | None = None) -> dict[str, Request]:
    """Every artifact of the project with its settings, by name; arguments and errors as for `graph`."""
    targets = targets or {}
    known = kinds()
    manifest = project.manifest()
    wanted = _wanted(project.document, manifest, targets, known)
    _check_tables(project.document, wanted, known)
    _check_sets(given, targets, known)
    resolved = {
        name: _resolve(known[kind], name, project, given, manifest, name in targets) for name, kind in wanted.items()
    }
    return {name: Request(name, project, resolved, wanted) for name in wanted}


def _wanted(
    document: Document, manifest: Manifest, targets: Mapping[str, str], known: Mapping[str, Kind]
) -> dict[str, str]:
    found: dict[str, str] = {}
    for kind in known.values():
        from_lock = [entry.name for entry in manifest.entries.values() if entry.stage == kind.name]
        from_command = [name for name, target in targets.items() if target == kind.name]
        for name in sorted({*kind.wanted(document), *from_lock, *from_command}):
            _check_name(name, kind.name, found)
            found[name] = kind.name
    for entry in manifest.entries.values():
        if entry.stage not in known:
            raise ArtifactError(
                f"{entry.name} was made by {entry.stage}, which this lmcli does not know", "upgrade lmcli"
            )
    return found


def _check_name(name: str, kind: str, taken: Mapping[str, str]) -> None:
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} can't name an artifact", "use letters, digits, - and _ (64 at most)")
    if name in RESERVED and SINGLE.get(kind) != name:
        raise UsageError(f"the name {name} is taken by lmcli itself", "choose another --name")
    if name in taken:
        raise UsageError(f"{name} is the name of a {taken[name]} artifact already", "choose another --name")


def _check_tables(document: Document, wanted: Mapping[str, str], known: Mapping[str, Kind]) -> None:
    """Every table of lmcli.toml must be read by something, or it is a typing error."""
    tables = {"project"} | {table for name, kind in wanted.items() for table in known[kind].tables(name)}
    tables |= {table for kind in known.values() for table in kind.tables(kind.name)}
    roots = {table.split(".")[0] for table in tables}
    for name in document.tables:
        if name not in roots:
            hint = did_you_mean(name, roots) or f"known tables: {', '.join(sorted(roots))}"
            raise ConfigError(f"{document.place(name)}: unknown table [{name}]", hint)
    settings.resolve({"project": ProjectConfig}, document)


def _check_sets(given: Given, targets: Mapping[str, str], known: Mapping[str, Kind]) -> None:
    if not given.sets:
        return
    tables = {table: cls for name, kind in targets.items() for table, cls in known[kind].tables(name).items()}
    for item in given.sets:
        if not settings.belongs(item, tables):
            roots = [table.split(".")[0] for table in tables]
            hint = did_you_mean(item.split(".")[0], roots) or f"this command reads: {', '.join(dict.fromkeys(tables))}"
            raise ConfigError(f"--set {item}: no such setting for this command", hint)


def _resolve(kind: Kind, name: str, project: Project, given: Given, manifest: Manifest, is_target: bool) -> Resolved:
    tables = kind.tables(name)
    recorded = manifest.entries[name].overrides if name in manifest.entries else {}
    if is_target:
        return settings.resolve(tables, project.document, given.only(tables), recorded if given.on_top else None)
    return settings.resolve(tables, project.document, Given(environment=given.environment), recorded)


def settings_of(project: Project, given: Given) -> list[dict[str, Any]]:
    """Every setting of every stage: table, key, value and the layer that it comes from."""
    known = kinds()
    manifest = project.manifest()
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for name, kind in _wanted(project.document, manifest, {}, known).items():
        resolved = _resolve(known[kind], name, project, given, manifest, False)
        for table, values in resolved.sections.items():
            for key, value in config.dump(values).items():
                dotted = f"{table}.{key}"
                rows.setdefault(
                    (table, key),
                    {"table": table, "key": key, "value": value, "origin": _origin(dotted, resolved, project.document)},
                )
    return list(rows.values())


def _origin(dotted: str, resolved: Resolved, document: Document) -> str:
    if dotted in resolved.origins:
        return resolved.origins[dotted]
    return document.place(dotted) if document.get(dotted) is not None else "default"
