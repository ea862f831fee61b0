"""The cleaned corpus on the disk: Parquet files that `datasets.load_dataset` reads as they are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from lmcli.corpus.arrow import pa, pq
from lmcli.corpus.documents import Document
from lmcli.errors import ArtifactError
from lmcli.project import durable

ROW_GROUP = 8 << 20  # bytes of text
PART = 256 << 20  # bytes of text

SCHEMA = pa.schema([("id", pa.string()), ("text", pa.string())])


class DocumentWriter:
    """Writes documents to part-00000.parquet and so on below a new folder. The bytes depend on the documents only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = contextlib.ExitStack()
        self._writer: Any = None
        self._waiting: list[Document] = []
        self._waiting_bytes = self._part_bytes = self._parts = 0

    def __enter__(self) -> DocumentWriter:
        durable.mkdir(self._folder)
        return self

    def write(self, document: Document) -> None:
        self._waiting.append(document)
        self._waiting_bytes += len(document.text.encode())
        if self._waiting_bytes >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        if self._writer is None:
            self._open()
        columns = [[document.id for document in self._waiting], [document.text for document in self._waiting]]
        self._writer.write_table(pa.table(columns, schema=SCHEMA), row_group_size=len(self._waiting))
        self._part_bytes += self._waiting_bytes
        self._waiting, self._waiting_bytes = [], 0
        if self._part_bytes >= PART:
            self._close()

    def _open(self) -> None:
        path = self._folder / f"part-{self._parts:05d}.parquet"
        file = self._file.enter_context(durable.create(path))
        self._writer = pq.ParquetWriter(file, SCHEMA, compression="zstd", use_dictionary=False)

    def _close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._file.close()
            self._writer, self._part_bytes, self._parts = None, 0, self._parts + 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._file.__exit__(kind, error, trace)
            return
        self._flush()
        self._close()
        durable.fsync_directory(self._folder)


def read_documents(folder: Path) -> Iterator[Document]:
    """The documents of a cleaned corpus in order. Raises ArtifactError for what is missing or damaged."""
    paths = sorted(folder.glob("part-*.parquet"))
    if not paths:
        raise ArtifactError(f"no cleaned text in {folder}", "make it with: lmcli clean")
    for path in paths:
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(256, columns=["id", "text"], use_threads=False):
                    for identity, text in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                        yield Document(identity, text)
        except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError, OSError) as error:
            raise ArtifactError(f"{path} is damaged: {error}", "make it again with: lmcli clean --force") from None
