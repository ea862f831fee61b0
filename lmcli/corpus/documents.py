"""What a corpus is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """A text with a name such as "corpus/a.txt", or "corpus/b.jsonl:17" with the line or row (counted from 1).

    A long text file arrives as several of these under one id, so that memory stays flat; joined, they are exactly its
    text. Only the last one `ends`. `clean` adds the name of the source in a mixture, the language ("" where not asked
    for), and the smallest text hash among the document's near duplicates, which decides its side of the split.
    """

    id: str
    text: str
    ends: bool = True
    source: str = ""
    language: str = ""
    group: int | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """A filter's verdict that a document isn't wanted; the reason ("language.other") goes into the report."""

    reason: str
