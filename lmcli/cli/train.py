"""lmcli train."""

from __future__ import annotations

from typing import Annotated

import typer

from lmcli.cli.arguments import Budget, Epochs, MaxRestarts, Nproc, Steps
from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown
from lmcli.models.config import ModelConfig
from lmcli.training.config import PretrainConfig


@command(writes=True, model=ModelConfig, train=PretrainConfig)
def train(
    session: Session,
    name: Annotated[str, typer.Option("--name", help="Name of the model.")] = "model",
    budget: Budget = None,
    steps: Steps = None,
    epochs: Epochs = None,
    continue_from: Annotated[
        str | None,
        typer.Option("--continue-from", metavar="MODEL", help="Train this model further: an artifact or a directory."),
    ] = None,
    nproc: Nproc = 1,
    max_restarts: MaxRestarts = 0,
) -> Shown:
    """Pretrain a model on the tokens: the best that this machine makes in the time you give it.

    Ctrl-C saves a checkpoint; the same command goes on from it.

    \b
    lmcli train                        five minutes
    lmcli train --budget 30m
    lmcli train --steps 2000 --seed 1 --name second
    lmcli train --set model.width=256 --set train.optimizer.lr=0.01
    lmcli train --extend 2x            twice as long, from before the cooldown of the run that there is
    lmcli train --continue-from model --name more         a new model from the weights of another
    lmcli train --nproc 8 --strategy fsdp
    """
    from lmcli.cli.going_on import base_of, extension_of
    from lmcli.cli.lengths import one_length
    from lmcli.cli.making import trained_or_planned

    base = base_of(session, name, continue_from)
    given = session.given(train__length=one_length(budget, steps, epochs), train__continue_from=base)
    return trained_or_planned(session, {name: "train"}, extension_of(session, name, given), nproc, max_restarts)
