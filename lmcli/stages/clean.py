"""clean: text in many formats -> clean, deduplicated documents as Parquet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lmcli.config import dump
from lmcli.corpus.config import CleanConfig
from lmcli.project.config import ProjectConfig
from lmcli.project.document import Document
from lmcli.project.lock import Entry
from lmcli.project.stage import Input, Made, Stage, Work
from lmcli.stages import cleaning, judging, text
from lmcli.stages.kind import Kind, Request
from lmcli.units import size

REVISION = 2


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
    lines = [f"{kept:,} of {found:,} documents kept, {size(report['bytes_out'])}"]
    counts = {"dropped": report["dropped"], "changed": report["changed"], "encodings": report["reading"]["encodings"]}
    for title, reasons in counts.items():
        if reasons:
            lines.append(f"{title}: " + ", ".join(f"{reason} {count:,}" for reason, count in reasons.items()))
    return lines


CLEAN = Kind("clean", lambda name: {"project": ProjectConfig, "clean": CleanConfig}, wanted, assemble, summary)
