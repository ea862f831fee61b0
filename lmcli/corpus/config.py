"""Settings of reading and cleaning."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le

from lmcli.config import Flag, OwnedList, section
from lmcli.corpus.filters import FILTERS
from lmcli.corpus.presets import expanded


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
    format: Annotated[
        Literal["auto", "txt", "md", "html", "jsonl", "json", "csv", "tsv", "parquet", "arrow", "warc"],
        "how files are read: auto goes by their suffix; otherwise every file is read as this format, whatever its name",
        Flag(),
    ] = "auto"
    render: Annotated[
        Literal["no", "chat"],
        "rows of messages, conversations, prompt and completion, instruction and output: chat makes texts of them",
        Flag(),
    ] = "no"


@section
class SourceConfig:
    inputs: Annotated[tuple[str, ...], "files, folders and globs of this source"]
    weight: Annotated[float, "its part of the training tokens, relative to the other sources", Gt(0)] = 1.0


@section
class CleanConfig(ReadingConfig):
    preset: Annotated[
        Literal["light", "web", "code", "zh", "none"],
        "ready-made filters: light repairs, web, code and zh also drop what is no good text, none does nothing",
        Flag(),
    ] = "light"
    filters: Annotated[
        tuple[Any, ...],
        "what each document goes through, in this order, instead of the preset's filters; a preset's name stands for "
        "its filters",
        OwnedList(FILTERS, expanded),
    ] = ()
    duplicates: Annotated[
        Literal["preset", "near", "exact", "keep"],
        "near keeps the first of documents that are nearly the same, exact the first of equal ones, keep all of them",
        Flag(),
    ] = "preset"
    duplicate_lines: Annotated[
        Literal["preset"] | Annotated[int, Ge(0)],
        "lines of at least so many characters that stood in an earlier document are removed; 0 keeps them",
        Flag(),
    ] = "preset"
    near_ngram: Annotated[int, "words (characters in scripts without spaces) of a run that is compared", Ge(1)] = 5
    near_buckets: Annotated[int, "buckets of a signature", Ge(1), Le(256)] = 14
    near_hashes: Annotated[int, "hashes that must agree in one bucket", Ge(1), Le(64)] = 8
    min_characters: Annotated[int, "shorter documents are dropped", Ge(1)] = 1
    sources: Annotated[
        dict[str, SourceConfig], "named sources of a mixture, which replace [project] inputs: {inputs, weight}"
    ] = dataclasses.field(default_factory=dict)
    languages: Annotated[
        dict[str, float], "parts of the training tokens by language (needs the filter language); * is all others"
    ] = dataclasses.field(default_factory=dict)
    max_repeats: Annotated[float, "how often a document of a scarce source may be repeated in training", Ge(1)] = 4.0
