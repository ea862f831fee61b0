"""lmcli verify."""

from __future__ import annotations

from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown


@command()
def verify(session: Session) -> Shown:
    """Read every byte of every artifact and compare it with lmcli.lock. Exit 4 names what is damaged.

    \b
    lmcli verify && rsync -a artifacts/ backup:artifacts/
    """
    from lmcli.errors import ArtifactError
    from lmcli.project import maintenance

    found = maintenance.verify(session.project)
    if found.damaged:
        raise ArtifactError("; ".join(found.damaged), "`lmcli run` makes damaged artifacts again")
    lines = [f"{len(found.sound)} artifacts are as they were made"]
    if found.leftovers:
        lines.append(f"{len(found.leftovers)} leftovers of interrupted commands; `lmcli gc` removes them")
    return Shown({"sound": found.sound, "leftovers": found.leftovers}, lines)
