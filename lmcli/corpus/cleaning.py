"""Sources to a cleaned corpus, with an account of every document that was dropped or changed."""

from __future__ import annotations

import importlib
import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from lmcli.corpus.audit import LARGEST, Audit
from lmcli.corpus.chain import Chain
from lmcli.corpus.clusters import Edges
from lmcli.corpus.config import CleanConfig
from lmcli.corpus.documents import Document
from lmcli.corpus.mapping import CHUNK, Mapped, map_sources
from lmcli.corpus.merging import Row, Verdicts, decide, edges_of, join, largest_clusters, rows
from lmcli.corpus.recipe import duplicates_of
from lmcli.corpus.sources import Source
from lmcli.errors import InputError
from lmcli.progress import Progress
from lmcli.project import durable

DATA = "data"
REJECTED = "rejected"
REPORT = "report.json"

_SCRATCH = ".scratch"
_WRITER = "lmcli.corpus.parquet_files"
_JOINED = ".joined"


def clean(
    sources: Sequence[Source],
    config: CleanConfig,
    chain: Chain,
    out: Path,
    *,
    workers: int,
    progress: Progress,
    chunk: int = CHUNK,
) -> Audit:
    """Write the cleaned documents to `out`/data, the dropped ones to `out`/rejected and the account to report.json.

    The bytes written don't depend on the number of workers or the size of a chunk. Raises InputError when nothing is
    left.
    """
    durable.mkdir(out)
    scratch = out / _SCRATCH
    threading.Thread(target=importlib.import_module, args=[_WRITER]).start()  # while the first workers start
    mapped = map_sources(sources, config, chain, scratch, workers=workers, progress=progress, chunk=chunk)
    audit = merge([mapped], config, out, progress)
    durable.remove_tree(scratch)
    return audit


def merge(
    shards: Sequence[Mapped], config: CleanConfig, out: Path, progress: Progress, edges: Sequence[Edges] | None = None
) -> Audit:
    """The corpus of all shards, in their order; `edges` are the pairs of every bucket, if they are known already.

    Raises InputError when nothing is left.
    """
    audit = write_corpus(shards, config, out, progress, edges)
    if not audit.documents_kept:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(audit.dropped.items()))
        message = f"no text is left of {audit.documents_in} documents ({reasons or 'all files are empty'})"
        raise InputError(message, "`lmcli clean --dry-run` shows why; the filters stand under [clean] in lmcli.toml")
    return audit


def write_corpus(
    shards: Sequence[Mapped], config: CleanConfig, out: Path, progress: Progress, edges: Sequence[Edges] | None = None
) -> Audit:
    """`merge` that takes a corpus of which nothing is left for a result like others."""
    durable.mkdir(out)
    joined = join(shards, out / _JOINED)
    verdicts = decide(joined, duplicates_of(config), edges_of(joined) if edges is None else edges)
    audit = _opened(shards)
    clusters = largest_clusters(verdicts, LARGEST)
    with progress.task("writing", total=len(verdicts.group), unit="documents") as task:
        for row in _written(rows(joined, verdicts), verdicts, out):
            task.advance()
            _count(row, audit)
            if row.place in clusters:
                audit.cluster(clusters[row.place], row.id, row.text)
    durable.remove_tree(out / _JOINED)
    durable.write(out / REPORT, json.dumps(audit.report(), ensure_ascii=False, indent=1) + "\n")
    durable.fsync_directory(out)
    return audit


def read_clean(directory: Path) -> Iterator[Document]:
    """The documents of a cleaned corpus, in the order of its sources."""
    from lmcli.corpus.parquet_files import read_documents

    return read_documents(directory / DATA)


def _opened(shards: Sequence[Mapped]) -> Audit:
    """An account with what was counted before the duplicates were known."""
    audit = Audit()
    for account in (shard.account() for shard in shards):
        audit.bytes_in += account["bytes_in"]
        audit.changed.update(account["changed"])
        audit.dropped.update(account["dropped"])
        audit.documents_in += sum(account["dropped"].values())
        _add(audit.reading, account["reading"])
    return audit


def _add(total: dict[str, object], part: dict[str, object]) -> None:
    """Adds up counts, and counts by name."""
    for key, value in part.items():
        before = total.get(key)
        if isinstance(value, dict):
            counts = Counter(before if isinstance(before, dict) else {}) + Counter(value)
            total[key] = dict(sorted(counts.items()))
        elif isinstance(value, int):
            total[key] = (before if isinstance(before, int) else 0) + value


def _written(found: Iterator[Row], verdicts: Verdicts, out: Path) -> Iterator[Row]:
    from lmcli.corpus import parquet_files as files

    with (
        files.RowWriter(out / DATA, files.DOCUMENTS) as kept,
        files.RowWriter(out / REJECTED, files.REJECTED) as rejected,
    ):
        for row in found:
            if row.reason:
                rejected.write((row.id, row.text, row.reason))
            else:
                kept.write((row.id, row.text, row.source, row.language, verdicts.group[row.place]))
            yield row


def _count(row: Row, audit: Audit) -> None:
    if row.reason:
        audit.drop(row.id, row.text, row.reason)
    else:
        audit.keep(row.text, len(row.text.encode()), row.source, row.language)
        audit.changed.update(["lines.repeated"] if row.lines_removed else [])
