"""The account of a cleaned corpus: every document is in it once, with what became of it."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from lmcli.corpus.scripts import script

EXCERPT = 80  # characters
EXAMPLES = 3  # of each reason
LARGEST = 20  # clusters of duplicates


@dataclass
class Audit:
    """What went in and what came of it: documents_in = documents_kept + the sum of `dropped`, exactly.

    A long file counts as a document for each part of 4 million characters. `changed` counts documents by filter;
    bytes are UTF-8 bytes of text; lengths are histograms: "1024" counts texts of 1024 to 2047 characters.
    """

    documents_in: int = 0
    documents_kept: int = 0
    bytes_in: int = 0
    bytes_out: int = 0
    characters_out: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)
    lengths_kept: Counter[int] = field(default_factory=Counter)
    lengths_dropped: Counter[int] = field(default_factory=Counter)
    scripts: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[dict[str, str]]] = field(default_factory=lambda: defaultdict(list))
    duplicates: list[dict[str, Any]] = field(default_factory=list)
    reading: dict[str, Any] = field(default_factory=dict)

    def drop(self, identity: str, text: str, reason: str) -> None:
        self.documents_in += 1
        self.dropped[reason] += 1
        self.lengths_dropped[_length(text)] += 1
        if len(self.examples[reason]) < EXAMPLES:
            self.examples[reason].append({"id": identity, "text": excerpt(text)})

    def keep(self, text: str, size: int, source: str, language: str) -> None:
        self.documents_in += 1
        self.documents_kept += 1
        self.bytes_out += size
        self.characters_out += len(text)
        self.lengths_kept[_length(text)] += 1
        self.scripts[script(text)] += 1
        for counter, name in ((self.languages, language), (self.sources, source)):
            if name:
                counter[name] += size

    def cluster(self, documents: int, identity: str, text: str) -> None:
        """One of the largest clusters of duplicates: how many there are, and which one stands for them."""
        self.duplicates.append({"documents": documents, "id": identity, "text": excerpt(text)})
        self.duplicates.sort(key=lambda item: (-item["documents"], item["id"]))

    def headline(self) -> dict[str, Any]:
        """The counts for the manifest, as JSON values, sorted by name."""
        return {
            "documents_in": self.documents_in,
            "documents_kept": self.documents_kept,
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "dropped": dict(sorted(self.dropped.items())),
            "changed": dict(sorted(self.changed.items())),
            "reading": self.reading,
        }

    def report(self) -> dict[str, Any]:
        """All of it, as JSON values: report.json."""
        return {
            **self.headline(),
            "characters_out": self.characters_out,
            "lengths": {"kept": _histogram(self.lengths_kept), "dropped": _histogram(self.lengths_dropped)},
            "scripts": dict(self.scripts.most_common()),
            "languages_bytes": dict(self.languages.most_common()),
            "sources_bytes": dict(sorted(self.sources.items())),
            "examples": {reason: list(found) for reason, found in sorted(self.examples.items())},
            "duplicates": self.duplicates,
        }


def excerpt(text: str, length: int = EXCERPT) -> str:
    """The beginning of a text on one line."""
    start = " ".join(text[: 4 * length].split())
    return start if len(start) <= length else start[: length - 1] + "…"


def _length(text: str) -> int:
    """The largest power of two that is no larger than the length, 0 for no text."""
    return 1 << (len(text).bit_length() - 1) if text else 0


def _histogram(counts: Counter[int]) -> dict[str, int]:
    return {str(size): counts[size] for size in sorted(counts)}
