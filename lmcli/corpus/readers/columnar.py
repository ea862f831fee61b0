"""parquet and arrow, read in batches; only the wanted columns are touched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from lmcli.corpus.arrow import pa, pq
from lmcli.corpus.compression import open_unchanged
from lmcli.corpus.records import Record, no_column
from lmcli.errors import InputError

if TYPE_CHECKING:
    from lmcli.corpus.reading import Reading
    from lmcli.corpus.sources import Source

BATCH = 256  # rows


def parquet_records(source: Source, reading: Reading, keys: tuple[str, ...]) -> Iterator[Record]:
    """A record for each row."""
    assert source.path is not None
    with open_unchanged(source.path) as stream, _readable(source):
        file = pq.ParquetFile(stream)
        columns = _columns(file.schema_arrow, source, keys)
        yield from _records(file.iter_batches(BATCH, columns=columns, use_threads=False))
    reading.advance(source.path.stat().st_size)


def arrow_records(source: Source, reading: Reading, keys: tuple[str, ...]) -> Iterator[Record]:
    """A record for each row of an IPC stream (as `datasets` caches it) or IPC file."""
    assert source.path is not None
    with open_unchanged(source.path) as stream, _readable(source):
        batches, schema = _ipc(stream)
        columns = _columns(schema, source, keys)
        yield from _records(batch.select(columns) for batch in batches)
    reading.advance(source.path.stat().st_size)


class _readable:  # noqa: N801 - reads as a clause of `with`
    """Arrow's errors as an InputError that names the file."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, pa.ArrowInvalid | pa.ArrowNotImplementedError | pa.ArrowKeyError | OSError):
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            message = f"{self._source.path} can't be read as {self._source.reader}: {reason}"
            raise InputError(message, "it is damaged, cut short, or something else") from None


def _ipc(stream: Any) -> tuple[Iterable[Any], Any]:
    if stream.read(6) == b"ARROW1":
        file = pa.ipc.open_file(stream)
        return (file.get_batch(index) for index in range(file.num_record_batches)), file.schema
    stream.seek(0)
    reader = pa.ipc.open_stream(stream)
    return reader, reader.schema


def _columns(schema: Any, source: Source, keys: tuple[str, ...]) -> list[str]:
    columns = [name for name in schema.names if name in keys]
    if not columns:
        raise no_column(source.label, keys, schema.names)
    return columns


def _records(batches: Iterable[Any]) -> Iterator[Record]:
    number = 0
    for batch in batches:
        for row in range(batch.num_rows):
            number += 1
            yield _record(number, batch, row)


def _record(number: int, batch: Any, row: int) -> Record:
    try:
        values = {name: column[row].as_py() for name, column in zip(batch.schema.names, batch.columns, strict=True)}
    except UnicodeDecodeError as error:
        return Record(number, None, f"not valid UTF-8: {error.reason}")
    return Record(number, values)
