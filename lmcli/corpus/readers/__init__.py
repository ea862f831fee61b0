"""Which reader understands which file. A reader is a file in this folder and a line in one of the two registries."""

from __future__ import annotations

from lmcli.corpus.compression import SUFFIXES as PACKED
from lmcli.registry import Registry

# (source, reading) -> Iterator[Document]
READERS = Registry(
    "reader",
    {
        "txt": "lmcli.corpus.readers.text:read",
        "md": "lmcli.corpus.readers.text:read",
        "html": "lmcli.corpus.readers.text:read",
        "warc": "lmcli.corpus.readers.warc:read",
        "pydoc": "lmcli.corpus.readers.pydoc:read",
    },
)

# (source, reading, keys) -> Iterator[Record]; `keys` are the columns that are wanted
RECORDS = Registry(
    "record reader",
    {
        "jsonl": "lmcli.corpus.readers.jsonl:records",
        "json": "lmcli.corpus.readers.json_values:records",
        "csv": "lmcli.corpus.readers.delimited:csv_records",
        "tsv": "lmcli.corpus.readers.delimited:tsv_records",
        "parquet": "lmcli.corpus.readers.columnar:parquet_records",
        "arrow": "lmcli.corpus.readers.columnar:arrow_records",
        "hf": "lmcli.corpus.readers.hub:records",
    },
)

SUFFIXES = {
    ".txt": "txt",
    ".text": "txt",
    ".md": "md",
    ".markdown": "md",
    ".html": "html",
    ".htm": "html",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".warc": "warc",
    ".wet": "warc",
}


def reader_of(name: str) -> str | None:
    """The reader for a file name, seen through a compression suffix ("a.jsonl.gz"), or None."""
    stem = name.lower()
    for suffix in PACKED:
        stem = stem.removesuffix(suffix)
    return next((reader for suffix, reader in SUFFIXES.items() if stem.endswith(suffix) and stem != suffix), None)
