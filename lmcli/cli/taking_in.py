"""Imports for the command line."""

from __future__ import annotations

import re
from pathlib import Path

from lmcli.cli.making import made_or_planned
from lmcli.cli.session import Session, Shown
from lmcli.interchange import hub


def taken_in(session: Session, source: str, name: str | None) -> Shown:
    """Make the import; a project without a tokenizer is told how to take over this one."""
    here = (session.folder / source).exists()
    if not here and not hub.is_named(source) and hub.could_be(source):
        source = hub.PREFIX + source
    chosen = name or default_name(source)
    shown = made_or_planned(session, {chosen: "import"}, session.given(import__source=session.place(source)))
    if session.dry_run or "tokenizer" in session.project.manifest().entries:
        return shown
    hint = f"this project has no tokenizer yet: `lmcli tokenize --from {chosen}` encodes its corpus with this one"
    return Shown(shown.data, [*shown.lines, hint])


def default_name(source: str) -> str:
    """The last part of a path or a hub name, as an artifact may be called."""
    last = Path(source.removeprefix(hub.PREFIX).rstrip("/")).name or "imported"
    return re.sub(r"[^A-Za-z0-9_-]+", "-", last).strip("-_")[:64] or "imported"
