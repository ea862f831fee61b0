"""The account of a cleaned corpus as people read it: drops by reason, lengths, scripts, duplicates, dropped text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lmcli.cli.session import Session, Shown
from lmcli.tables import aligned
from lmcli.units import size

BAR = 24  # characters of the longest bar
DUPLICATES = 5  # groups that are shown
LENGTH = 60  # characters of an excerpt


def account(report: Mapping[str, Any]) -> list[str]:
    """What report.json holds beyond the counts that every command shows."""
    lengths = report.get("lengths", {})
    lines = histogram(lengths.get("kept", {}), lengths.get("dropped", {}))
    for title, key, of in (
        ("scripts", "scripts", "documents"),
        ("languages", "languages_bytes", "bytes"),
        ("sources", "sources_bytes", "bytes"),
    ):
        if counts := report.get(key):
            lines.append(f"{title}, by {of}: {shares(counts)}")
    if duplicates := report.get("duplicates"):
        lines.append("largest groups of duplicates (documents, the one that stays, its beginning):")
        lines += aligned([duplicate_row(item) for item in duplicates[:DUPLICATES]], "><<")
        if more := len(duplicates) - DUPLICATES:
            lines += [f"  and {more} more in report.json"] if more > 0 else []
    return lines


def duplicate_row(item: Mapping[str, Any]) -> tuple[str, str, str]:
    return f"  {item['documents']:,}", item["id"], short(item["text"])


def short(text: str) -> str:
    from lmcli.corpus.audit import excerpt

    return excerpt(text, LENGTH)


def shares(counts: Mapping[str, int], most: int = 6) -> str:
    """Latin 98.1%, Han 1.9%: the largest, then all others together."""
    total = sum(counts.values())
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown = [f"{name} {count / total:.1%}" for name, count in ordered[:most]]
    rest = sum(count for _, count in ordered[most:])
    return ", ".join([*shown, *([f"{len(ordered) - most} others {rest / total:.1%}"] if rest else [])])


def histogram(kept: Mapping[str, int], dropped: Mapping[str, int]) -> list[str]:
    """A line for each power of two: characters from, documents kept and dropped, a bar for those kept."""
    sizes = sorted({int(length) for length in (*kept, *dropped)})
    if not sizes:
        return []
    longest = max([1, *kept.values()])
    rows = [("characters", "kept", "dropped", "")]
    for length in sizes:
        count, lost = kept.get(str(length), 0), dropped.get(str(length), 0)
        bar = "#" * -(-count * BAR // longest)
        rows.append(
            (f"{length:,}-{max(0, 2 * length - 1):,}" if length > 1 else f"{length}", f"{count:,}", f"{lost:,}", bar)
        )
    return aligned([(f"  {row[0]}", *row[1:]) for row in rows], ">>><")


def drops(report: Mapping[str, Any]) -> list[str]:
    """The table of drops by reason, each with an example."""
    from lmcli.stages.clean import most_common

    documents, examples = report["documents_in"], report.get("examples", {})
    rows = [("reason", "documents", "share", "for example", "")]
    for reason, count in most_common(report["dropped"]):
        example = next(iter(examples.get(reason, [])), {"id": "", "text": ""})
        rows.append((reason, f"{count:,}", f"{count / documents:.1%}", example["id"], short(example["text"])))
    return aligned(rows, "<>><<") if len(rows) > 1 else ["nothing is dropped"]


def rejected(session: Session, directory: Path, name: str, reason: str, number: int) -> Shown:
    """A page of dropped documents: excerpts, or with -v whole texts."""
    from lmcli.corpus.rejected import page

    found = page(directory, reason, number)
    data = {"rejected": reason, **asdict(found)}
    lines = [f"{reason}: {found.total:,} documents, page {found.number:,} of {found.pages:,}"]
    if session.verbose:
        for item in found.documents:
            lines += [f"---- {item.id}: {item.reason}, {len(item.text):,} characters", item.text]
    else:
        rows = _rows(found.documents)
        lines += aligned(rows, "<><<"[: len(rows[0])])
    if found.number < found.pages:
        lines.append(f"next page: lmcli show {name} --rejected {reason} --page {found.number + 1}")
    return Shown(data, lines)


def _rows(documents: Sequence[Any]) -> list[tuple[str, ...]]:
    """With the reason only where there are several."""
    if len({item.reason for item in documents}) == 1:
        return [(item.id, f"{len(item.text):,}", short(item.text)) for item in documents]
    return [(item.id, f"{len(item.text):,}", item.reason, short(item.text)) for item in documents]


def sampled(report: Mapping[str, Any], sample: Mapping[str, Any]) -> list[str]:
    """What a trial on a sample gave."""
    from lmcli.stages.clean import listed

    whole = f" ({size(sample['bytes_in_all'])})" if sample["bytes_in_all"] is not None else ""
    lines = [
        f"sample: {size(sample['text_bytes'])} of text, {sample['files']:,} of {sample['files_in_all']:,} files{whole}",
        f"{report['documents_kept']:,} of {report['documents_in']:,} documents kept, {size(report['bytes_out'])}",
        *drops(report),
    ]
    if report["changed"]:
        lines.append(f"changed: {listed(report['changed'])}")
    return lines
