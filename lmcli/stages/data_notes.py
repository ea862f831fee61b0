"""What a model card says of data: where texts came from, what was dropped and why, who may use what is made of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from lmcli.project.lock import Entry, Manifest
from lmcli.stages import lineage
from lmcli.units import size


def lines(entry: Entry, manifest: Manifest, root: Path) -> list[str]:
    """A list item for each source and each step that the data went through; empty where nothing is known."""
    above = lineage.upstream(entry, manifest)
    found = [f"- {_input(item, name, record.digest, root)}" for item, name, record in lineage.files_read(above)]
    found += [f"- {name}: `{record.digest[:8]}`" for name, record in entry.inputs.items() if record.of is None]
    return [*found, *(f"- {sentence}" for item in above for sentence in _step(item))]


def licences(entry: Entry, manifest: Manifest, root: Path) -> list[str]:
    """Who has a say in what may be done with the weights."""
    above = [*lineage.upstream(entry, manifest), entry]
    found = [f"- {item.name} comes from {_origin(item)}" for item in above if item.stage == "import"]
    named = [_names(item, name, record.digest, root) for item, name, record in lineage.files_read(above)]
    texts = [names for names in dict.fromkeys(named) if names]
    if texts:
        found.append(f"- the texts: {'; '.join(texts)}")
    return [
        "lmcli doesn't know the licences of the texts that a model is trained on. Whether this one may be passed on, "
        "and under which terms, depends on:",
        "",
        *(found or ["- whatever it was made from, of which nothing is recorded"]),
    ]


def _origin(item: Entry) -> str:
    licence = item.report.get("licence")
    source = item.report.get("source", "another place")
    return f"{source}, whose own card states the licence {licence}" if licence else f"{source}, which states no licence"


def _names(item: Entry, name: str, digest: str, root: Path) -> str:
    if item.stage == "import":
        return ""
    listing = lineage.listing(root, digest) if item.digest else None
    if listing is None:
        return f"{name} of {item.name} (`{digest[:8]}`)"
    folders = dict.fromkeys(file.name.rpartition("/")[0] or file.name for file in listing.files)
    return _some(list(folders))


def _input(item: Entry, name: str, digest: str, root: Path) -> str:
    listing = lineage.listing(root, digest)
    if listing is None:
        return f"{name} of {item.name}: `{digest[:8]}`"
    names = _some([file.name for file in listing.files])
    return f"{name}: {len(listing.files):,} files, {size(listing.size)} ({names}), `{digest[:8]}`"


def _some(names: list[str]) -> str:
    more = len(names) - lineage.SHOWN
    return ", ".join(names[: lineage.SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _step(item: Entry) -> Iterator[str]:
    tell = {"clean": _clean, "tokenizer": _tokenizer, "tokens": _tokens}.get(item.stage)
    if tell:
        yield f"{item.name}: {tell(item)}"


def _clean(item: Entry) -> str:
    report, asked = item.report, item.requested.get("clean", {})
    kept = f"{report['documents_kept']:,} of {report['documents_in']:,} documents kept, {size(report['bytes_out'])}"
    names = [str(part["name"]) for part in asked.get("filters", [])]
    filters = f"; preset {asked.get('preset', '')}" + (f" with {', '.join(names)}" if names else "")
    return f"{kept}{filters}{_counts('dropped', report['dropped'])}{_counts('changed', report['changed'])}"


def _counts(title: str, counts: Mapping[str, int]) -> str:
    if not counts:
        return ""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return f"; {title}: " + ", ".join(f"{name} {count:,}" for name, count in ordered)


def _tokenizer(item: Entry) -> str:
    report = item.report
    origin = f"from {report['source']}" if "source" in report else f"trained on {size(report['sampled_bytes'])} of text"
    return f"{report['kind']}, {report['vocab_size']:,} tokens, {origin}"


def _tokens(item: Entry) -> str:
    sides: Mapping[str, Any] = item.report["sides"]
    counted = (f"{side} {counts['tokens']:,} tokens ({size(counts['text_bytes'])})" for side, counts in sides.items())
    return f"{', '.join(counted)}; {item.report['split']}"
