"""The documents that `clean` dropped, page by page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmcli.corpus.arrow import pa, pq
from lmcli.corpus.cleaning import REJECTED, REPORT
from lmcli.errors import ArtifactError, UsageError

PAGE = 10  # documents
ALL = "all"

_HINT = "make it again with: lmcli clean --force"


@dataclass(frozen=True, slots=True)
class Rejected:
    id: str
    reason: str
    text: str


@dataclass(frozen=True)
class Page:
    """Page `number` (from 1) of `pages`, of `total` documents that have the reason asked for."""

    number: int
    pages: int
    total: int
    documents: list[Rejected]


def read_report(directory: Path) -> dict[str, Any]:
    """report.json of a cleaned corpus. Raises ArtifactError when it is missing or damaged."""
    path = directory / REPORT
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ArtifactError(f"{path} can't be read: {error}", _HINT) from None
    return found


def reasons(report: Mapping[str, Any]) -> dict[str, int]:
    """Reason -> documents that were kept aside for it; what never became a text (a bad row) isn't among them."""
    unread = report["reading"].get("dropped", {})
    counts = {reason: count - unread.get(reason, 0) for reason, count in report["dropped"].items()}
    return {reason: count for reason, count in counts.items() if count > 0}


def page(directory: Path, wanted: str, number: int = 1, size: int = PAGE) -> Page:
    """Dropped documents in the order of the corpus, those of one reason, of all that begin with it, or "all".

    Memory is bounded by one row group. Raises UsageError for a reason that no document has and for a page too far.
    """
    known = reasons(read_report(directory))
    total = sum(count for reason, count in known.items() if _is(reason, wanted))
    if not total:
        counts = ", ".join(f"{reason} {count:,}" for reason, count in sorted(known.items(), key=lambda item: -item[1]))
        raise UsageError(
            f"no document was dropped for {wanted!r}" if known else "no document was dropped that could be shown",
            f"the reasons are: {counts}" if known else None,
        )
    pages = -(-total // size)
    if number > pages:
        raise UsageError(f"there is no page {number} of {wanted}", f"there are {total:,} documents on {pages:,} pages")
    first = (number - 1) * size
    return Page(number, pages, total, list(_between(directory / REJECTED, wanted, first, first + size)))


def _is(reason: str, wanted: str) -> bool:
    return wanted in (ALL, reason) or reason.startswith((f"{wanted}.", f"{wanted}_"))


def _between(folder: Path, wanted: str, first: int, end: int) -> Iterator[Rejected]:
    """The documents with numbers from `first` to before `end` among those wanted; texts of others aren't read."""
    seen = 0
    for path in sorted(folder.glob("part-*.parquet")):
        try:
            with pq.ParquetFile(path) as file:
                for group in range(file.num_row_groups):
                    found = file.read_row_group(group, ["reason"], use_threads=False)["reason"].to_pylist()
                    places = [place for place, reason in enumerate(found) if _is(reason, wanted)]
                    chosen = places[max(0, first - seen) : max(0, end - seen)]
                    seen += len(places)
                    if chosen:
                        rows = file.read_row_group(group, ["id", "text"], use_threads=False).take(chosen)
                        for place, identity, text in zip(
                            chosen, rows["id"].to_pylist(), rows["text"].to_pylist(), strict=True
                        ):
                            yield Rejected(identity, found[place], text)
                    if seen >= end:
                        return
        except (pa.ArrowInvalid, pa.ArrowKeyError, UnicodeDecodeError, OSError) as error:
            raise ArtifactError(f"{path} is damaged: {error}", _HINT) from None
