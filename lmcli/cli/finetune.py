"""lmcli finetune."""

from __future__ import annotations

from typing import Annotated

import typer

from lmcli.cli.arguments import Budget, Epochs, MaxRestarts, Nproc, Steps
from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown
from lmcli.training.config import FinetuneConfig


@command(writes=True, finetune=FinetuneConfig)
def finetune(
    session: Session,
    data: Annotated[list[str], typer.Argument(help="Rows with prompt and completion, or text: jsonl, csv, parquet.")],
    name: Annotated[str | None, typer.Option("--name", help="Name of the model; made from the data's name.")] = None,
    budget: Budget = None,
    steps: Steps = None,
    epochs: Epochs = None,
    nproc: Nproc = 1,
    max_restarts: MaxRestarts = 0,
) -> Shown:
    """Train a model further on rows: the loss counts on the completion and the end token after it. An encoder-decoder
    reads the prompt as its source.

    The result is a model of its own that knows its base. A tenth of the prompts is held out to measure it; `lmcli eval`
    on the same data scores just those.

    \b
    lmcli finetune chat.jsonl
    lmcli finetune pairs.csv --name translator --epochs 5
    lmcli finetune chat.jsonl --base path/to/a/model
    """
    from lmcli.cli.evaluating import stem
    from lmcli.cli.lengths import one_length
    from lmcli.cli.making import trained_or_planned

    base = session.flags.get("finetune.base")
    data = session.inputs(data)
    given = session.given(
        finetune__data=tuple(data),
        finetune__base=session.place(str(base)) if base else None,
        finetune__length=one_length(budget, steps, epochs),
    )
    return trained_or_planned(session, {name or stem(data[0]): "finetune"}, given, nproc, max_restarts)
