"""clean: text in many formats -> clean, deduplicated documents as Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lmcli.config import dump
from lmcli.corpus.config import CleanConfig
from lmcli.project.config import ProjectConfig
from lmcli.project.document import Document
from lmcli.project.lock import Entry
from lmcli.project.stage import Input, Made, Stage, Work
from lmcli.stages import cleaning, judging, text
from lmcli.stages.kind import Kind, Request
from lmcli.tables import aligned
from lmcli.units import size

REVISION = 2
FEW_REASONS = 2  # that fit on one line


def assemble(request: Request) -> Stage:
    config: CleanConfig = request.section("clean")
    root = request.project.root
    inputs = cleaning.inputs_of(config, request.section("project").inputs, request.own.overrides)

    def build(work: Work) -> Made:
        audit = cleaning.build(config, inputs, work)
        return Made({**audit.headline(), **cleaning.mixture_of(config)})

    return Stage(
        name=request.name,
        kind="clean",
        revision=REVISION,
        requested={"clean": dump(config)},
        inputs={
            "corpus": text.files(inputs, root, config.format),
            **_filter_inputs(config, root),
            **judging.inputs(config, request),
        },
        build=build,
        overrides=request.own.overrides,
        command="lmcli clean",
    )


def _filter_inputs(config: CleanConfig, root: Path) -> Mapping[str, Input]:
    """Files that filters read: what they say is a part of what the corpus is made from."""
    from lmcli.corpus.recipe import filter_files

    files = filter_files(config)
    return {"filters": text.files(files, root)} if files else {}


def wanted(document: Document) -> Sequence[str]:
    return ["clean"] if "clean" in document.tables else []


def summary(entry: Entry, directory: Path) -> list[str]:
    report = entry.report
    kept, found = report["documents_kept"], report["documents_in"]
    lines = [f"{kept:,} of {found:,} documents kept, {size(report['bytes_out'])}", *_drops(report)]
    for title, counts in {"changed": report["changed"], "encodings": report["reading"]["encodings"]}.items():
        if counts:
            lines.append(f"{title}: {listed(counts)}")
    return lines


def _drops(report: Mapping[str, Any]) -> list[str]:
    """The reasons, on one line while they are few, and how to read what was dropped."""
    dropped = report["dropped"]
    if not dropped:
        return []
    few = len(dropped) <= FEW_REASONS
    lines = [f"dropped: {listed(dropped)}"] if few else ["dropped:", *drop_table(dropped, report["documents_in"])]
    never_kept = report["reading"].get("dropped", {})  # rows and files that never became a text
    readable = [reason for reason, count in most_common(dropped) if count > never_kept.get(reason, 0)]
    return [*lines, f"read them with: lmcli show clean --rejected {readable[0]}"] if readable else lines


def drop_table(dropped: Mapping[str, int], documents: int) -> list[str]:
    """Reason, documents and their share of all, the most frequent first, as aligned lines."""
    rows = [(f"  {reason}", f"{count:,}", f"{count / documents:.1%}") for reason, count in most_common(dropped)]
    return aligned(rows, "<>>")


def most_common(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Names with their counts, the most frequent first."""
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def listed(counts: Mapping[str, int]) -> str:
    """The same on one line."""
    return ", ".join(f"{name} {count:,}" for name, count in most_common(counts))


CLEAN = Kind("clean", lambda name: {"project": ProjectConfig, "clean": CleanConfig}, wanted, assemble, summary)
