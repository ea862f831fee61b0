"""lmcli tokenize."""

from __future__ import annotations

from typing import Annotated

import typer

from lmcli.cli.arguments import Inputs, Workers
from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown
from lmcli.tokens.config import TokenizerConfig, TokensConfig


@command(writes=True, tokenizer=TokenizerConfig, tokens=TokensConfig)
def tokenize(
    session: Session,
    inputs: Inputs = None,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train a new tokenizer; models of the old one end.")
    ] = False,
    workers: Workers = 0,
) -> Shown:
    """Train the tokenizer, unless there is one, and encode the corpus.

    The result of `clean` is read when it was made from the same input; without it no byte of the text is altered.

    \b
    lmcli tokenize corpus/
    lmcli tokenize --kind char --split tail
    lmcli tokenize --vocab-size 8192 --retrain
    """
    from lmcli.cli.making import made_or_planned

    given = session.given(project__inputs=session.inputs(inputs))
    targets = {"tokenizer": "tokenizer", "tokens": "tokens"}
    return made_or_planned(session, targets, given, workers=workers, force=["tokenizer"] if retrain else [])
