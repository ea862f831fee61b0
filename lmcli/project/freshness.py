"""Is an artifact what its stage would make now? The whole key is recomputed, and every difference is named."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from lmcli.errors import InputError
from lmcli.project.digests import Listing
from lmcli.project.lock import Entry, InputRecord, Manifest
from lmcli.project.project import Project
from lmcli.project.stage import Artifact, Files, Graph, Stage, downstream_order

State = Literal["fresh", "stale", "missing", "damaged"]
NAMED = 3  # how many changed files a reason names


@dataclass(frozen=True)
class Verdict:
    name: str
    state: State
    reasons: tuple[str, ...] = ()

    @property
    def fresh(self) -> bool:
        return self.state == "fresh"

    def __str__(self) -> str:
        return f"{self.name} is {self.state}" + (f": {'; '.join(self.reasons)}" if self.reasons else "")


def verdicts(project: Project, graph: Graph, manifest: Manifest) -> dict[str, Verdict]:
    """A verdict for every stage of the graph, inputs before what reads them."""
    found: dict[str, Verdict] = {}
    for name in downstream_order(graph, list(graph)):
        found[name] = _verdict(project, graph[name], manifest, found)
    return found


def _verdict(project: Project, stage: Stage, manifest: Manifest, upstream: Mapping[str, Verdict]) -> Verdict:
    entry = manifest.entries.get(stage.name)
    if entry is None:
        return Verdict(stage.name, "missing", ("never made",))
    problem = project.problem(entry)
    if problem:
        return Verdict(stage.name, "damaged" if (project.root / entry.path).is_dir() else "missing", (problem,))
    reasons = [*_code_reasons(stage, entry), *setting_reasons(entry.requested, stage.requested)]
    for name, item in stage.inputs.items():
        if name in stage.pinned:
            continue
        recorded = entry.inputs.get(name)
        if isinstance(item, Artifact):
            reasons += _artifact_reasons(name, item, recorded, manifest, upstream)
        else:
            reasons += _file_reasons(project, name, item, recorded)
    reasons += [f"no longer reads {name}" for name in entry.inputs if name not in stage.inputs]
    return Verdict(stage.name, "stale" if reasons else "fresh", tuple(reasons))


def _code_reasons(stage: Stage, entry: Entry) -> list[str]:
    if entry.stage != stage.kind:
        return [f"it was made by {entry.stage}, not by {stage.kind}"]
    if entry.revision != stage.revision:
        return [f"lmcli makes {stage.kind} differently now (revision {entry.revision} -> {stage.revision})"]
    return []


def setting_reasons(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """`train.seed changed (0 -> 1)` for every setting that differs."""
    reasons = []
    for key in [*new, *(key for key in old if key not in new)]:
        before, after = old.get(key), new.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            reasons += setting_reasons(before, after, f"{prefix}{key}.")
        elif before != after:
            reasons.append(f"{prefix}{key} changed ({_show(before)} -> {_show(after)})")
    return reasons


def _show(value: Any) -> str:
    return "unset" if value is None else json.dumps(value, ensure_ascii=False)


def _artifact_reasons(
    name: str, item: Artifact, recorded: InputRecord | None, manifest: Manifest, upstream: Mapping[str, Verdict]
) -> list[str]:
    above = upstream[item.name]
    if not above.fresh:
        return [f"input {item.name} is {above.state}"]
    if recorded is None:
        return [f"now reads {item.name}"]
    if recorded.of != item.name:
        return [f"input {name} is now {item.name}, was {recorded.of or 'files'}"]
    if manifest.entries[item.name].digest != recorded.digest:
        return [f"input {item.name} was made anew"]
    return []


def _file_reasons(project: Project, name: str, item: Files, recorded: InputRecord | None) -> list[str]:
    try:
        listing = item.listing(project.digests)
    except InputError as error:
        return [f"input {name}: {error.message}"]
    if recorded is None:
        return [f"now reads {name}"]
    if recorded.of is not None:
        return [f"input {name} is now files, was {recorded.of}"]
    if listing.digest == recorded.digest:
        return []
    changed = _changed_files(project, recorded.digest, listing)
    return [f"input {name} changed" + (f" ({changed})" if changed else "")]


def _changed_files(project: Project, old: str, new: Listing) -> str:
    path = sources_path(project, old)
    try:
        changes = Listing.parse(path.read_text()).changes(new)
    except (OSError, ValueError, TypeError):
        return ""
    more = len(changes) - NAMED
    return ", ".join(changes[:NAMED]) + (f" and {more} more" if more > 0 else "")


def sources_path(project: Project, digest: str) -> Path:
    """Where the listing of outside files with that digest is kept, so that a change can be named file by file."""
    return project.artifacts / "sources" / digest[:8] / "files.jsonl"


def key_of(stage: Stage, records: Mapping[str, InputRecord]) -> str:
    """The digest of everything that decides what a stage makes."""
    parts = {
        "stage": stage.kind,
        "revision": stage.revision,
        "requested": stage.requested,
        "inputs": {name: record.digest for name, record in records.items() if name not in stage.pinned},
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
