"""lmcli plan."""

from __future__ import annotations

from typing import Annotated

import typer

from lmcli.cli.arguments import Budget, Epochs, Steps
from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown
from lmcli.models.config import ModelConfig
from lmcli.training.config import PretrainConfig


@command(settings=True, model=ModelConfig, train=PretrainConfig)
def plan(
    session: Session,
    budget: Budget = None,
    steps: Steps = None,
    epochs: Epochs = None,
    tokens: Annotated[int | None, typer.Option("--tokens", min=2, help="Training tokens, without a corpus.")] = None,
    vocab: Annotated[int | None, typer.Option("--vocab", min=2, help="Its vocabulary; goes with --tokens.")] = None,
    speed: Annotated[
        float | None, typer.Option("--speed", metavar="GFLOPS", min=1e-3, help="Of another machine, in training.")
    ] = None,
    memory: Annotated[
        float | None, typer.Option("--memory", metavar="GIB", min=0, help="Of another machine, free.")
    ] = None,
) -> Shown:
    """Say what `lmcli train` would do, and why, without training: size, time, memory, expected quality.

    Without --speed the machine is measured for a few seconds. What is expected is a wide band: see docs/plan.md.

    \b
    lmcli plan                                          for the project's tokens, on this machine
    lmcli plan --budget 2h --width 384
    lmcli plan --tokens 50000000 --vocab 8192 --speed 40000 --memory 16 --budget 1h
    """
    from lmcli.cli.lengths import one_length
    from lmcli.cli.planning import show_plan
    from lmcli.stages.planning import Assumed

    given = session.given(train__length=one_length(budget, steps, epochs))
    free = None if memory is None else round(memory * 2**30)
    return show_plan(session, given, Assumed(tokens, vocab, speed, free))
