"""What reading met: counted, so that nothing is lost or altered in silence."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Tally:
    """Counts of one pass over the sources.

    `dropped` has the documents and rows that were left out by reason ("empty", "encoding", "row"); `replaced` counts
    byte sequences that became U+FFFD, `surrogates` lone surrogates in JSON strings that did; `skipped` has what lies in
    archives of web pages and is no text ("warc.request", "warc.media").
    """

    documents: int = 0
    encodings: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    replaced: int = 0
    surrogates: int = 0
    skipped: Counter[str] = field(default_factory=Counter)

    def report(self) -> dict[str, Any]:
        """The counts as JSON values, sorted by name."""
        return {
            "documents": self.documents,
            "encodings": dict(sorted(self.encodings.items())),
            "dropped": dict(sorted(self.dropped.items())),
            "replaced": self.replaced,
            "surrogates": self.surrogates,
            **({"skipped": dict(sorted(self.skipped.items()))} if self.skipped else {}),
        }
