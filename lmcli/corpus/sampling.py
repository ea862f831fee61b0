"""A bounded part of a corpus, chosen by a seed: of files before they are cleaned, of a corpus that was cleaned."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import xxhash

from lmcli.corpus.audit import Audit
from lmcli.corpus.chain import Chain
from lmcli.corpus.cleaning import DATA, write_corpus
from lmcli.corpus.config import CleanConfig, ReadingConfig
from lmcli.corpus.documents import Document
from lmcli.corpus.mapping import map_documents
from lmcli.corpus.parquet_files import group_sizes, parts, read_group
from lmcli.corpus.reading import read, total_bytes
from lmcli.corpus.sources import Source
from lmcli.corpus.tally import Tally
from lmcli.progress import Progress, Silent

SAMPLE = 20_000_000  # bytes of text
OF_FILE = 2_000_000  # bytes of text that one of many files gives, up to the end of the document that reaches it
SEED = 0
GROUPS = 64  # of a cleaned corpus that are read, about 8 MB each


@dataclass(frozen=True)
class Sample:
    """Documents in the order of the sources, and what reading them counted.

    `text_bytes` of text came from `files` of `files_in_all` files; these have `bytes_in_all` on the disk (None where
    that is not known). `cut` files were not read to their end.
    """

    documents: list[Document]
    tally: Tally
    text_bytes: int
    files: int
    cut: int
    files_in_all: int
    bytes_in_all: int | None

    def figures(self) -> dict[str, int | bool | None]:
        """How large the sample is, as JSON values."""
        sizes = {name: getattr(self, name) for name in ("text_bytes", "files", "cut", "files_in_all", "bytes_in_all")}
        return {**sizes, "complete": self.complete}

    @property
    def complete(self) -> bool:
        return self.files == self.files_in_all and not self.cut


def sample(
    sources: Sequence[Source],
    config: ReadingConfig,
    progress: Progress,
    *,
    limit: int = SAMPLE,
    of_file: int = OF_FILE,
    seed: int = SEED,
) -> Sample:
    """Files in an order that depends on the seed and their labels only, until there are `limit` bytes of text.

    From a large file only the beginning is taken: `of_file` bytes, or its part of `limit` where there are few files.
    Raises InputError for what can't be read.
    """
    of_file = max(of_file, limit // max(1, len(sources)))
    order = sorted(range(len(sources)), key=lambda place: rank(sources[place].label, seed))
    found: dict[int, list[Document]] = {}
    tally, total, cut = Tally(), 0, 0
    with progress.task("sampling", total=limit, unit="B") as task:
        for place in order:
            taken, size, ended = _beginning(sources[place], config, tally, min(of_file, limit - total))
            found[place] = taken
            total, cut = total + size, cut + (not ended)
            task.advance(size)
            if total >= limit:
                break
    documents = [document for place in sorted(found) for document in found[place]]
    return Sample(documents, tally, total, len(found), cut, len(sources), total_bytes(sources))


def rank(name: str, seed: int = SEED) -> int:
    """A number that depends on the name and the seed only: sorting by it shuffles."""
    return xxhash.xxh3_64_intdigest(name.encode(), seed=seed)


def _beginning(source: Source, config: ReadingConfig, tally: Tally, limit: int) -> tuple[list[Document], int, bool]:
    """The first documents of a source, their bytes, and whether that is all of it."""
    taken: list[Document] = []
    size = 0
    with contextlib.closing(_generator(source, config, tally)) as documents:
        for document in documents:
            if size >= limit:
                taken[-1] = replace(taken[-1], ends=True)  # a long text that goes on
                return taken, size, False
            taken.append(document)
            size += len(document.text.encode())
    return taken, size, True


def _generator(source: Source, config: ReadingConfig, tally: Tally) -> Generator[Document]:
    yield from read([source], config, Silent(), tally)


def clean_sample(found: Sample, config: CleanConfig, chain: Chain, out: Path, workers: int) -> Audit:
    """What cleaning makes of a sample, in the new folder `out`. Nothing being left is a result like others."""
    mapped = map_documents(found.documents, found.tally, chain, out / "mapped", workers=workers)
    return write_corpus([mapped], config, out / "clean", Silent())


def sample_clean(directory: Path, limit: int = SAMPLE, seed: int = SEED) -> list[Document]:
    """About `limit` bytes of the documents of a cleaned corpus, from all over it, in order.

    Row groups and then rows are chosen by hash; no more than `GROUPS` row groups are read.
    """
    groups = [(path, index, size) for path in parts(directory / DATA) for index, size in enumerate(group_sizes(path))]
    chosen = sorted(groups, key=lambda group: rank(f"{group[0].name}:{group[1]}", seed))[:GROUPS]
    share = limit / max(1, sum(size for _, _, size in chosen))
    found: list[Document] = []
    for path, index, _ in sorted(chosen):
        rows = read_group(path, index)
        found += [row for row in rows if share >= 1 or rank(row.id, seed) < share * 2**64]
    return found
