"""lmcli clean."""

from __future__ import annotations

from lmcli.cli.arguments import Inputs, Workers
from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown
from lmcli.corpus.config import CleanConfig


@command(writes=True, clean=CleanConfig)
def clean(
    session: Session,
    inputs: Inputs = None,
    workers: Workers = 0,
) -> Shown:
    """Repair, strip, normalise and deduplicate text; every drop and every change is counted with its reason.

    \b
    lmcli clean                     the inputs that lmcli.toml names
    lmcli clean books/ 'web/*.gz'   other inputs
    lmcli clean --duplicates keep
    """
    from lmcli.cli.making import made_or_planned

    given = session.given(project__inputs=[session.place(item) for item in inputs or ()])
    return made_or_planned(session, {"clean": "clean"}, given, workers=workers)
