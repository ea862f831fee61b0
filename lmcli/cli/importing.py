"""lmcli import."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown
from lmcli.interchange.config import ImportConfig

_TABLE: dict[str, Any] = {"import": ImportConfig}  # a keyword of Python, so that it can't be spelled as an argument


@command(writes=True, **_TABLE)
def import_model(
    session: Session,
    source: Annotated[str, typer.Argument(help="A Hugging Face directory, or OWNER/NAME or hf:NAME of the hub.")],
    name: Annotated[str | None, typer.Option("--name", help="Name of the model; made from the source's name.")] = None,
) -> Shown:
    """Take in a model that was made elsewhere: weights and tokenizer are read as data, checked, and recorded with their
    digests. Pickles and code are refused; the network is used only when the source is a name of the hub.

    \b
    lmcli import ../all-MiniLM-L6-v2
    lmcli import Qwen/Qwen3-0.6B --name qwen
    lmcli generate --model qwen "Once upon"
    lmcli tokenize --from qwen                 encode the corpus with its tokenizer
    """
    from lmcli.cli.taking_in import taken_in

    return taken_in(session, source, name)
