"""lmcli gc."""

from __future__ import annotations

from lmcli.cli.arguments import DryRun
from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown


@command()
def gc(session: Session, dry_run: DryRun = False) -> Shown:
    """Remove what neither lmcli.lock nor its history names. Runs and your own files are never touched.

    \b
    lmcli gc --dry-run
    """
    from lmcli.project import maintenance
    from lmcli.units import size

    with session.project.writing():
        found = maintenance.gc(session.project, dry_run=dry_run)
    verb = "would remove" if dry_run else "removed"
    lines = [*(f"{verb} {name}" for name in found.removed), f"{verb} {size(found.bytes)}"]
    return Shown({"removed": found.removed, "bytes": found.bytes, "dry_run": dry_run}, lines)
