"""The filters of `clean`, one after the other. Worker processes import this file, so it is light."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import xxhash

from lmcli.config import name_of
from lmcli.corpus.documents import Document, Drop
from lmcli.corpus.filters import FILTERS, Filter


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a document: its text after the last filter, why it was dropped (or ""), and who changed it."""

    id: str
    text: str
    drop: str
    changed: tuple[str, ...]
    digest: bytes
    bytes_in: int


def clean_chunk(filters: Sequence[Filter], min_characters: int, chunk: Sequence[Document]) -> list[Outcome]:
    """The outcome for each document of a chunk; a pure function, so that it doesn't matter which process calls it."""
    return [clean_document(filters, min_characters, document) for document in chunk]


def clean_document(filters: Sequence[Filter], min_characters: int, document: Document) -> Outcome:
    text, drop, changed = document.text, "", []
    for entry in filters:
        result = entry.apply(text)
        if isinstance(result, Drop):
            drop = result.reason
            break
        if result != text:
            changed.append(f"{name_of(FILTERS, entry)}.changed")
        text = result
    if not drop and (not text or text.isspace()):
        drop = "empty"
    if not drop and len(text) < min_characters:
        drop = "short"
    digest = xxhash.xxh3_128_digest(text.encode())
    return Outcome(document.id, text, drop, tuple(changed), digest, len(document.text.encode()))
