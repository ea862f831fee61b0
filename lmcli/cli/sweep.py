"""lmcli sweep."""

from __future__ import annotations

from typing import Annotated

import typer

from lmcli.cli.arguments import Budget, Steps
from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown
from lmcli.errors import UsageError


@command(writes=True)
def sweep(
    session: Session,
    budget: Budget = None,
    steps: Steps = None,
    seeds: Annotated[
        str | None, typer.Option("--seeds", metavar="N,N", help="Run each trial with these seeds; their mean counts.")
    ] = None,
    write: Annotated[bool, typer.Option("--write", help="Put the winner's settings into lmcli.toml.")] = False,
) -> Shown:
    """Find the best of several settings: short trials of every combination, longer ones of the better half.

    --budget or --steps is for all trials together. --set takes several values, with commas between them. A sweep that
    was stopped goes on with the same command; artifacts stay as they are.

    \b
    lmcli sweep --set train.optimizer.lr=0.005,0.01,0.02 --budget 10m
    lmcli sweep --set train.optimizer.lr=1e-3,3e-3 --set model.depth=4,6 --budget 20m --write
    lmcli sweep --set train.optimizer.lr=0.01,0.015 --seeds 0,1,2 --budget 30m
    """
    from lmcli.cli.lengths import one_length
    from lmcli.cli.sweeping import swept

    length = one_length(budget, steps, None)
    if length is None or not session.sets:
        raise UsageError("a sweep needs settings and a budget", "lmcli sweep --set KEY=VALUE,VALUE --budget 20m")
    return swept(session, length, seeds, write)
