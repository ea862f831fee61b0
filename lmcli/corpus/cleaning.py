"""Sources to a cleaned corpus, with an account of every document that was dropped or changed."""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lmcli.corpus.chain import Outcome, clean_chunk
from lmcli.corpus.config import CleanConfig
from lmcli.corpus.documents import Document
from lmcli.corpus.duplicates import Seen
from lmcli.corpus.reading import read
from lmcli.corpus.sources import Source
from lmcli.corpus.tally import Tally
from lmcli.corpus.workers import ordered_map
from lmcli.errors import InputError
from lmcli.progress import Progress
from lmcli.project import durable

CHUNK = 1_000_000  # characters that a worker gets at a time

DATA = "data"
REJECTED = "rejected.jsonl.gz"


@dataclass
class CleanReport:
    """What went in and what came of it: documents_in = documents_kept + the sum of `dropped`, exactly.

    A long file counts as a document for each part of 4 million characters. `changed` counts documents by filter;
    bytes are UTF-8 bytes of text.
    """

    documents_in: int = 0
    documents_kept: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    reading: dict[str, Any] = field(default_factory=dict)

    def report(self) -> dict[str, Any]:
        """The counts as JSON values, sorted by name."""
        return {
            "documents_in": self.documents_in,
            "documents_kept": self.documents_kept,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "dropped": dict(sorted(self.dropped.items())),
            "changed": dict(sorted(self.changed.items())),
            "reading": self.reading,
        }


def clean(
    sources: Sequence[Source],
    config: CleanConfig,
    out: Path,
    *,
    workers: int,
    progress: Progress,
    chunk: int = CHUNK,
) -> CleanReport:
    """Write the cleaned documents to `out`/data and the dropped ones, with the reason, to `out`/rejected.jsonl.gz.

    The bytes written don't depend on the number of workers or the size of a chunk. `config` comes from `config.decode`,
    which turns names of filters into filters. Raises InputError when nothing is left.
    """
    tally = Tally()
    work = functools.partial(clean_chunk, config.filters, config.min_characters)
    chunks = _chunks(read(sources, config, progress, tally), chunk)
    durable.mkdir(out)
    report = CleanReport()
    outcomes = ordered_map(work, chunks, workers)
    with contextlib.closing(outcomes), contextlib.closing(_without_duplicates(outcomes, config, out)) as verdicts:
        _write(verdicts, out, report)
    report.dropped.update(tally.dropped)
    report.documents_in += tally.dropped.total()
    report.reading = tally.report()
    if not report.documents_kept:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(report.dropped.items()))
        raise InputError(f"no text is left of {report.documents_in} documents ({reasons or 'all files are empty'})")
    return report


def read_clean(directory: Path) -> Iterator[Document]:
    """The documents of a cleaned corpus, in the order of its sources."""
    from lmcli.corpus.parquet_files import read_documents

    return read_documents(directory / DATA)


def _chunks(documents: Iterable[Document], size: int) -> Iterator[list[Document]]:
    """Lists of documents with about `size` characters together; the parts of a long file get names of their own."""
    waiting: list[Document] = []
    characters, part = 0, 0
    for document in documents:
        part = part + 1 if part or not document.ends else 0
        waiting.append(Document(f"{document.id}#{part}", document.text) if part else document)
        part = 0 if document.ends else part
        characters += len(document.text)
        if characters >= size:
            yield waiting
            waiting, characters = [], 0
    if waiting:
        yield waiting


def _without_duplicates(
    outcomes: Iterable[list[Outcome]], config: CleanConfig, out: Path
) -> Generator[tuple[Outcome, str]]:
    """Each outcome with the reason why its document is dropped, or "". Of equal texts the first is kept."""
    with Seen(out) as seen:
        for outcome in (outcome for chunk in outcomes for outcome in chunk):
            repeated = config.duplicates == "exact" and not outcome.drop and not seen.add(outcome.digest)
            yield outcome, "duplicate.exact" if repeated else outcome.drop


def _write(verdicts: Iterable[tuple[Outcome, str]], out: Path, report: CleanReport) -> None:
    from lmcli.corpus.parquet_files import DocumentWriter

    with (
        DocumentWriter(out / DATA) as kept,
        durable.create(out / REJECTED) as raw,
        gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as rejected,
    ):
        for outcome, drop in verdicts:
            report.documents_in += 1
            report.bytes_in += outcome.bytes_in
            report.changed.update(outcome.changed)
            if drop:
                report.dropped[drop] += 1
                line = {"id": outcome.id, "reason": drop, "text": outcome.text}
                rejected.write(json.dumps(line, ensure_ascii=False).encode() + b"\n")
            else:
                report.documents_kept += 1
                report.bytes_out += len(outcome.text.encode())
                kept.write(Document(outcome.id, outcome.text))
    durable.fsync_directory(out)
