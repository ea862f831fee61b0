"""What reading met: counted, so that nothing is lost or altered in silence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from lmcli.progress import Progress

T = TypeVar("T")

_REASONS = {
    "empty": "without text",
    "empty_completion": "with an empty completion",
    "encoding": "with bytes outside their encoding",
    "row": "without usable text",
}


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

    def lost(self, what: str = "rows") -> str:
        """In words, which of `what` were left out and what was replaced in the others; "" where all is as it was."""
        counts = {"undecodable byte sequences": self.replaced, "lone surrogates": self.surrogates}
        replaced = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
        parts = (left_out(self.dropped, what), f"replaced by U+FFFD: {replaced}" if replaced else "")
        return "; ".join(part for part in parts if part)


def left_out(dropped: Mapping[str, int], what: str = "rows") -> str:
    """In words, how many of `what` were left out, by reason; "" for none."""
    found = [f"{count:,} {_REASONS.get(reason, reason)}" for reason, count in sorted(dropped.items()) if count]
    return f"{what} left out: {', '.join(found)}" if found else ""


def telling(items: Iterable[T], tally: Tally, progress: Progress, what: str = "rows") -> Iterator[T]:
    """The items; after the last one a warning says what reading them has lost, as `tally` has it by then."""
    yield from items
    if lost := tally.lost(what):
        progress.warn(lost)
