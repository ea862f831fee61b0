"""The cleaned corpus on the disk: Parquet files that `datasets.load_dataset` reads as they are."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from lmcli.corpus.arrow import pa, pq
from lmcli.corpus.documents import Document
from lmcli.errors import ArtifactError
from lmcli.project import durable

ROW_GROUP = 8 << 20  # bytes of text
PART = 256 << 20  # bytes of text
BATCH = 256  # rows

_TEXT = [("id", pa.string()), ("text", pa.string())]
_ORIGIN = [("source", pa.string()), ("language", pa.string())]

DOCUMENTS = pa.schema([*_TEXT, *_ORIGIN, ("group", pa.uint64())])
REJECTED = pa.schema([*_TEXT, ("reason", pa.string())])


class RowWriter:
    """Writes rows to part-00000.parquet and so on below a new folder. The bytes depend on the rows only.

    The second column of the schema is the text, whose size decides when a row group or a part is full.
    """

    def __init__(self, folder: Path, schema: Any) -> None:
        self._folder = folder
        self._schema = schema
        self._file = contextlib.ExitStack()
        self._writer: Any = None
        self._waiting: list[Sequence[Any]] = []
        self._waiting_bytes = self._part_bytes = self._parts = 0

    def __enter__(self) -> RowWriter:
        durable.mkdir(self._folder)
        return self

    def write(self, row: Sequence[Any]) -> None:
        """Add a row: a value for each column of the schema."""
        self._waiting.append(row)
        text = row[1]
        self._waiting_bytes += len(text) if text.isascii() else len(text.encode())
        if self._waiting_bytes >= ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        if not self._waiting:
            return
        if self._writer is None:
            self._open()
        columns = list(map(_column, zip(*self._waiting, strict=True)))
        table = pa.Table.from_arrays(columns, schema=self._schema)
        self._writer.write_table(table, row_group_size=len(self._waiting))
        self._part_bytes += self._waiting_bytes
        self._waiting, self._waiting_bytes = [], 0
        if self._part_bytes >= PART:
            self._close()

    def _open(self) -> None:
        path = self._folder / f"part-{self._parts:05d}.parquet"
        file = self._file.enter_context(durable.create(path))
        self._writer = pq.ParquetWriter(file, self._schema, compression="zstd", use_dictionary=False)

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


def _column(values: Sequence[Any]) -> Any:
    """Strings or unsigned numbers as an array; `pyarrow.array` would import pandas to look what they are."""
    if not isinstance(values[0], str):
        return pa.Array.from_buffers(pa.uint64(), len(values), [None, pa.py_buffer(np.array(values, dtype="<u8"))])
    encoded = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype="<i4")
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


def read_rows(folder: Path, columns: Sequence[str], hint: str) -> Iterator[tuple[Any, ...]]:
    """The rows below a folder, in order, as tuples of these columns. Raises ArtifactError for what is damaged."""
    for path in sorted(folder.glob("part-*.parquet")):
        try:
            with pq.ParquetFile(path) as file:
                for batch in file.iter_batches(BATCH, columns=list(columns), use_threads=False):
                    yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)
        except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError, OSError) as error:
            raise ArtifactError(f"{path} is damaged: {error}", hint) from None


def parts(folder: Path) -> list[Path]:
    """The files of a cleaned corpus in order. Raises ArtifactError when there are none."""
    found = sorted(folder.glob("part-*.parquet"))
    if not found:
        raise ArtifactError(f"no cleaned text in {folder}", "make it with: lmcli clean")
    return found


def group_sizes(path: Path) -> list[int]:
    """Bytes of text in each row group of a file, about."""
    with _whole(path), pq.ParquetFile(path) as file:
        column = file.schema_arrow.names.index("text")
        groups = [file.metadata.row_group(index) for index in range(file.num_row_groups)]
        return [group.column(column).total_uncompressed_size for group in groups]


def read_group(path: Path, index: int) -> Iterator[Document]:
    """The documents of one row group."""
    with _whole(path), pq.ParquetFile(path) as file:
        for batch in file.iter_batches(
            BATCH, row_groups=[index], columns=["id", "text", "language"], use_threads=False
        ):
            for identity, text, language in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                yield Document(identity, text, language=language)


@contextlib.contextmanager
def _whole(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError, OSError) as error:
        raise ArtifactError(f"{path} is damaged: {error}", "make it again with: lmcli clean --force") from None


def read_documents(folder: Path) -> Iterator[Document]:
    """The documents of a cleaned corpus in order. Raises ArtifactError for what is missing or damaged."""
    if not any(folder.glob("part-*.parquet")):
        raise ArtifactError(f"no cleaned text in {folder}", "make it with: lmcli clean")
    columns = ("id", "text", "source", "language", "group")
    for identity, text, source, language, group in read_rows(
        folder, columns, "make it again with: lmcli clean --force"
    ):
        yield Document(identity, text, source=source, language=language, group=group)
