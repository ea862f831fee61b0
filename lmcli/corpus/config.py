"""Settings of reading and cleaning."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Le

from lmcli.config import Flag, OwnedList, section
from lmcli.corpus.filters import FILTERS


@section
class ReadingConfig:
    encoding: Annotated[
        str,
        "encoding of the text files: auto (UTF-8, byte-order marks, else a legacy encoding if there is no doubt), "
        "or a name such as gb18030",
        Flag(),
    ] = "auto"
    encoding_errors: Annotated[
        Literal["strict", "replace", "drop"],
        "bytes that are no text: strict stops, replace puts U+FFFD, drop leaves the document out",
        Flag(),
    ] = "strict"
    text_key: Annotated[
        str,
        "key or column that holds the text in jsonl, json, csv, tsv, parquet and arrow; auto tries text, content, "
        "document, body, article, sentence",
        Flag(),
    ] = "auto"
    max_bad_rows: Annotated[
        float, "share of rows without usable text that is left out before a file counts as bad", Flag(), Ge(0), Le(1)
    ] = 0.0


@section
class CleanConfig(ReadingConfig):
    filters: Annotated[tuple[Any, ...], "what each document goes through, in this order", OwnedList(FILTERS)] = (
        "unicode",
        "html",
        "whitespace",
    )
    duplicates: Annotated[
        Literal["exact", "keep"], "documents with the same cleaned text: exact keeps the first, keep keeps all", Flag()
    ] = "exact"
    min_characters: Annotated[int, "shorter documents are dropped", Ge(1)] = 1
