"""lmcli run."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from lmcli.cli.arguments import DryRun, MaxRestarts, Nproc, Workers
from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown


@command()
def run(
    session: Session,
    names: Annotated[list[str] | None, typer.Argument(help="Artifacts to make, with all that they need.")] = None,
    dry_run: DryRun = False,
    locked: Annotated[bool, typer.Option("--locked", help="Fail (exit 8) instead of making anything.")] = False,
    workers: Workers = 0,
    nproc: Nproc = 1,
    max_restarts: MaxRestarts = 0,
) -> Shown:
    """Make everything that is stale or missing, in order.

    Settings that were given by flags before are used again, until lmcli.toml changes them.

    \b
    lmcli run                 the whole project
    lmcli run model           the model and what it needs
    lmcli run --locked        in CI: fail when anything would be made
    """
    from lmcli.cli import making
    from lmcli.cli.launching import relaunched, together
    from lmcli.cores import cores
    from lmcli.errors import GateError
    from lmcli.project.runner import Runner
    from lmcli.project.settings import Given
    from lmcli.stages.gates import recheck
    from lmcli.stages.graph import graph

    project = session.project
    given = Given(environment=dict(os.environ))
    nodes = graph(project, given)
    pending = Runner(project, nodes).pending(names or list(nodes))
    if locked and pending:
        raise GateError(f"{len(pending)} artifacts are not what lmcli.lock says: {pending[0]}", "run `lmcli run`")
    if dry_run:
        return making.describe_pending(pending)
    if not pending:
        recheck(project, names or list(nodes))
        project.digests.save()
        return Shown({"artifacts": []}, ["nothing to do: everything is up to date"])
    relaunched(session, nproc, max_restarts)
    with together(session, lambda: nodes), project.writing():
        outcomes = Runner(project, nodes, session.console, workers or cores()).run(names or list(nodes))
    recheck(project, names or list(nodes))
    return making.shown(project, [outcome for outcome in outcomes if outcome.made])
