"""What a model was made from, step by step, as the manifest has it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lmcli.project.digests import Listing
from lmcli.project.lock import Entry, InputRecord, Manifest

SHOWN = 5
"""Files of an input that are named."""


def upstream(entry: Entry, manifest: Manifest) -> list[Entry]:
    """Every artifact that `entry` was made from, inputs first. One that was made anew since is left out."""
    found: dict[str, Entry] = {}

    def visit(item: Entry) -> None:
        for record in item.inputs.values():
            above = manifest.entries.get(record.of or "")
            if above is not None and above.digest == record.digest and above.name not in found:
                visit(above)
                found[above.name] = above

    visit(entry)
    return list(found.values())


def files_read(entries: list[Entry]) -> Iterator[tuple[Entry, str, InputRecord]]:
    """The inputs from outside, each once: who read it, as what."""
    seen = set()
    for entry in entries:
        for name, record in entry.inputs.items():
            if record.of is None and record.digest not in seen:
                seen.add(record.digest)
                yield entry, name, record


def listing(root: Path, digest: str) -> Listing | None:
    """The list of files behind a digest, which is kept beside the artifacts; None where it is gone."""
    try:
        return Listing.parse((root / "artifacts" / "sources" / digest[:8] / "files.jsonl").read_text())
    except (OSError, ValueError, TypeError):
        return None


def evaluations(entry: Entry, manifest: Manifest) -> list[Entry]:
    """The evaluations of exactly this model."""
    return [
        other
        for other in manifest.entries.values()
        if other.stage == "eval" and entry.digest and other.inputs["model"].digest == entry.digest
    ]


def excerpt(entry: Entry, manifest: Manifest) -> dict[str, Any]:
    """The part of the manifest that a model stands on: its entry, all upstream, its evaluations; no places, no past."""
    entries = [*upstream(entry, manifest), entry, *evaluations(entry, manifest)]
    return {item.name: {key: value for key, value in asdict(item).items() if key != "history"} for item in entries}
