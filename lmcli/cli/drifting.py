"""`lmcli show clean --drift`: figures of a new text beside those of the corpus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from lmcli.cli.session import Session, Shown
from lmcli.tables import aligned
from lmcli.units import size

if TYPE_CHECKING:
    from lmcli.corpus.drift import Drift, Figure, Shares
    from lmcli.project.lock import Entry

MOST = 6  # scripts and languages that are shown


def compared(session: Session, entry: Entry, files: Sequence[str]) -> Shown:
    """The new text beside the cleaned corpus, a line and a verdict for each figure."""
    from lmcli.stages.drift import compare_with

    found = compare_with(session.project, entry, [session.place(name) for name in files], session.console)
    sample = found.text.figures()
    part = "" if found.text.complete else f" (a sample of {found.text.files_in_all:,} files)"
    whole = found.corpus_bytes_in_all
    beside = size(whole) if found.corpus_bytes >= whole else f"{size(found.corpus_bytes)} of the {size(whole)}"
    head = (
        f"{len(found.text.documents):,} documents, {size(found.text.text_bytes)}{part}, beside {beside} of {entry.name}"
    )
    data = {
        "corpus": {"documents": found.corpus_documents, "text_bytes": found.corpus_bytes, "text_bytes_in_all": whole},
        "text": {"documents": len(found.text.documents), **sample},
        **asdict(found.drift),
    }
    return Shown(data, [head, *table(found.drift), *unknown(found.drift)])


def table(drift: Drift) -> list[str]:
    rows = [("", "corpus", "new text", "")]
    rows += [(item.name, _cell(item, item.corpus), _cell(item, item.text), item.verdict) for item in drift.figures]
    for shares in drift.shares:
        rows += _share_rows(shares)
    return aligned(rows, "<>><")


def _cell(figure: Figure, value: float | None) -> str:
    if value is None:
        return "-"
    if figure.unit == "characters":
        return f"{value:,.0f}"
    return f"{value:.1%}" if figure.unit == "share" else f"{value:.2f}"


def _share_rows(shares: Shares) -> Iterator[tuple[str, str, str, str]]:
    yield shares.name, "", "", shares.verdict
    names = sorted(
        {*shares.corpus, *shares.text}, key=lambda name: -shares.corpus.get(name, 0) - shares.text.get(name, 0)
    )
    for name in names[:MOST]:
        yield f"  {name}", f"{shares.corpus.get(name, 0):.1%}", f"{shares.text.get(name, 0):.1%}", ""


def unknown(drift: Drift) -> list[str]:
    lines = []
    if drift.unknown_words:
        lines.append(f"words that the corpus does not have: {', '.join(drift.unknown_words)}")
    if drift.unknown_characters:
        shown = ", ".join(repr(sign)[1:-1] for sign in drift.unknown_characters)
        lines.append(f"characters that the corpus does not have: {shown}")
    return lines
