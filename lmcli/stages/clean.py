"""clean: text in many formats -> clean, deduplicated documents as Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lmcli.config import dump
from lmcli.corpus.config import CleanConfig
from lmcli.project.config import ProjectConfig
from lmcli.project.document import Document
from lmcli.project.lock import Entry
from lmcli.project.stage import Made, Stage, Work
from lmcli.stages import text
from lmcli.stages.kind import Kind, Request
from lmcli.units import size

REVISION = 1


def assemble(request: Request) -> Stage:
    config: CleanConfig = request.section("clean")
    inputs = request.section("project").inputs

    def build(work: Work) -> Made:
        from lmcli.corpus.cleaning import clean

        sources = text.resolve(inputs, work.root)
        report = clean(sources, config, work.out, workers=work.workers, progress=work.progress)
        return Made(report.report())

    return Stage(
        name=request.name,
        kind="clean",
        revision=REVISION,
        requested={"clean": dump(config)},
        inputs={"corpus": text.files(inputs, request.project.root)},
        build=build,
        overrides=request.own.overrides,
        command="lmcli clean",
    )


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
