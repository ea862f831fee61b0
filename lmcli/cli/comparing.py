"""The table of `lmcli tokenize --compare`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from lmcli.cli.session import Session, Shown

if TYPE_CHECKING:
    from lmcli.tokens.comparison import Figures


def compared(session: Session, names: Sequence[str], workers: int) -> Shown:
    """The project's tokenizer and those that are named, side by side."""
    from lmcli.cores import cores
    from lmcli.stages.comparing import compare_tokenizers

    places = [session.place(name) for name in names]
    found = compare_tokenizers(session.project, places, session.given(), session.console, workers or cores())
    return Shown({"tokenizers": [asdict(item) for item in found]}, lines(found))


def lines(found: Sequence[Figures]) -> list[str]:
    """A column for each tokenizer, a row for each figure, then what went wrong."""
    from lmcli.units import size

    scripts = list(dict.fromkeys(name for item in found for name in item.bytes_per_token_by_script))
    rows = [
        ("", [item.name for item in found]),
        ("kind", [item.kind for item in found]),
        ("vocabulary", [f"{item.vocab_size:,}" for item in found]),
        ("unused here", [f"{item.unused:.1%}" for item in found]),
        ("tokens", [f"{item.tokens:,}" for item in found]),
        ("bytes per token", [f"{item.bytes_per_token:.3f}" for item in found]),
        *((f"  {name}", [f"{item.bytes_per_token_by_script[name]:.3f}" for item in found]) for name in scripts),
        ("tokens per word", [f"{item.fertility:.3f}" for item in found]),
        ("unknown tokens", [f"{item.unknown:,}" for item in found]),
        ("texts changed", [f"{item.failures:,} of {item.paragraphs:,}" for item in found]),
    ]
    head = max(len(name) for name, _ in rows)
    widths = [max(len(row[place]) for _, row in rows) for place in range(len(found))]
    table = [
        f"{name:{head}}  {'  '.join(f'{cell:>{width}}' for cell, width in zip(row, widths, strict=True))}".rstrip()
        for name, row in rows
    ]
    details = [line for item in found for line in _details(item)]
    return [f"on {size(found[0].text_bytes)} of text, {found[0].words:,} words", *table, *details]


def _details(item: Figures) -> list[str]:
    said = [f"{item.name}: longest tokens {', '.join(repr(token) for token in item.longest)}"]
    if item.first_failure:
        before, after = item.first_failure
        said.append(f"{item.name}: {before!r} comes back as {after!r}")
    return said
