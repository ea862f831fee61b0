"""The first half of `clean`: what can be decided document by document, for one shard of the sources.

A shard's folder holds, in the order of the sources, texts.bin (each document after the filters, with the reason why it
was dropped, or ""), keys.bin (a record of `Chain.key` for each) and lines.bin (hashes of lines, if asked for), and
account.json with the counts.
"""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lmcli.corpus.chain import Chain, Cleaned
from lmcli.corpus.config import CleanConfig
from lmcli.corpus.documents import Document
from lmcli.corpus.packing import Packed, unpack
from lmcli.corpus.reading import read
from lmcli.corpus.sources import Source
from lmcli.corpus.tally import Tally
from lmcli.corpus.workers import ordered_map
from lmcli.progress import Progress
from lmcli.project import durable

CHUNK = 1_000_000  # characters that a worker gets at a time

ACCOUNT = "account.json"
KEYS = "keys.bin"
LINES = "lines.bin"
TEXTS = "texts.bin"


@dataclass(frozen=True)
class Mapped:
    """A finished shard, as the second half reads it."""

    folder: Path
    chain: Chain

    def documents(self) -> Iterator[Packed]:
        """Every document with what the filters made of it."""
        return unpack(self.folder / TEXTS)

    @property
    def keys(self) -> npt.NDArray[np.void]:
        """A record for each document, on the disk."""
        return _mapped(self.folder / KEYS, self.chain.key)

    @property
    def lines(self) -> npt.NDArray[np.uint64]:
        """The hashes of all counted lines, on the disk."""
        return _mapped(self.folder / LINES, np.dtype("<u8"))

    def account(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / ACCOUNT).read_bytes())
        return found


def _mapped(path: Path, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    return np.memmap(path, dtype=dtype, mode="r") if path.stat().st_size else np.empty(0, dtype=dtype)


def map_sources(
    sources: Sequence[Source],
    config: CleanConfig,
    chain: Chain,
    out: Path,
    *,
    workers: int,
    progress: Progress,
    chunk: int = CHUNK,
) -> Mapped:
    """Fill the new folder `out`; the bytes don't depend on the number of workers."""
    tally = Tally()
    return map_documents(read(sources, config, progress, tally), tally, chain, out, workers=workers, chunk=chunk)


def map_documents(
    documents: Iterable[Document], tally: Tally, chain: Chain, out: Path, *, workers: int, chunk: int = CHUNK
) -> Mapped:
    """The same for documents that are read already or while this goes on; `tally` is what reading them counts."""
    durable.mkdir(out)
    cleaned = ordered_map(chain, _chunks(documents, chunk), workers)
    with contextlib.closing(cleaned):
        bytes_in, changed = _write(cleaned, out)
    account = {
        "bytes_in": bytes_in,
        "changed": dict(sorted(changed.items())),
        "dropped": dict(tally.dropped),
        "reading": tally.report(),
    }
    durable.write(out / ACCOUNT, json.dumps(account, sort_keys=True) + "\n")
    return Mapped(out, chain)


def _chunks(documents: Iterable[Document], size: int) -> Iterator[list[Document]]:
    """Lists of documents with about `size` characters together; the parts of a long file get names of their own."""
    waiting: list[Document] = []
    characters, part = 0, 0
    for document in documents:
        part = part + 1 if part or not document.ends else 0
        waiting.append(_renamed(document, part) if part else document)
        part = 0 if document.ends else part
        characters += len(document.text)
        if characters >= size:
            yield waiting
            waiting, characters = [], 0
    if waiting:
        yield waiting


def _renamed(document: Document, part: int) -> Document:
    return Document(f"{document.id}#{part}", document.text, source=document.source)


def _write(cleaned: Iterable[Cleaned], out: Path) -> tuple[int, Counter[str]]:
    bytes_in, changed = 0, Counter[str]()
    with (
        durable.create(out / TEXTS) as texts,
        durable.create(out / KEYS) as keys,
        durable.create(out / LINES) as lines,
    ):
        for part in cleaned:
            texts.write(part.packed)
            keys.write(part.keys.tobytes())
            lines.write(part.lines.tobytes())
            bytes_in += part.bytes_in
            changed.update(part.changed)
    durable.fsync_directory(out)
    return bytes_in, changed
