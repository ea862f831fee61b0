"""csv and tsv with a header line.

csv quotes as RFC 4180 says, so that a field may hold newlines. tsv has no quotes: a quote mark is text.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from lmcli.corpus.readers.jsonl import lines
from lmcli.corpus.records import Record, no_column
from lmcli.errors import InputError

if TYPE_CHECKING:
    from lmcli.corpus.reading import Reading
    from lmcli.corpus.sources import Source

FIELD_LIMIT = 1 << 30  # characters; the csv module's own limit of 128 KiB is less than a long article


def csv_records(source: Source, reading: Reading, keys: tuple[str, ...]) -> Iterator[Record]:
    """A record for each row, numbered by the line that it ends on."""
    csv.field_size_limit(FIELD_LIMIT)
    return _records(csv.reader(lines(reading.text(source), keep_ends=True), strict=True), source, keys)


def tsv_records(source: Source, reading: Reading, keys: tuple[str, ...]) -> Iterator[Record]:
    """A record for each line."""
    csv.field_size_limit(FIELD_LIMIT)
    rows = csv.reader(lines(reading.text(source), keep_ends=True), delimiter="\t", quoting=csv.QUOTE_NONE)
    return _records(rows, source, keys)


def _records(rows: Any, source: Source, keys: tuple[str, ...]) -> Iterator[Record]:
    try:
        header = next(rows, None)
    except csv.Error as error:
        raise InputError(f"{source.label}:1: the header can't be read: {error}") from None
    if header is None:
        return
    _check_header(header, source, keys)
    while True:
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield Record(rows.line_num, None, f"not valid: {error}")
            continue
        if row:
            yield _record(rows.line_num, header, row)


def _check_header(header: list[str], source: Source, keys: tuple[str, ...]) -> None:
    if not set(keys) & set(header):
        raise no_column(f"{source.label}:1", keys, header)
    if len(set(header)) < len(header):
        raise InputError(f"{source.label}:1: two columns have the same name: {', '.join(header[:12])}")


def _record(number: int, header: list[str], row: list[str]) -> Record:
    if len(row) != len(header):
        return Record(number, None, f"{len(row)} fields, but the header names {len(header)}")
    return Record(number, dict(zip(header, row, strict=True)))
