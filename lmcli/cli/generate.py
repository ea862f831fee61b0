"""lmcli generate."""

from __future__ import annotations

from typing import Annotated

import typer

from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown
from lmcli.generation.config import GenerateConfig


@command(writes=True, generate=GenerateConfig)
def generate(
    session: Session,
    prompt: Annotated[str | None, typer.Argument(help="Text to go on from, or to write for; - is stdin.")] = None,
    save: Annotated[str | None, typer.Option("--save", metavar="NAME", help="Keep the samples as an artifact.")] = None,
) -> Shown | None:
    """Write text with a model: the prompt and its continuation on stdout, as they come. An encoder fills in masks;
    an encoder-decoder writes a text for the prompt, and that alone is shown.

    \b
    lmcli generate "Once upon a time"
    lmcli generate "Once" -n 3 --temperature 0.7 --seed 1
    lmcli generate --prompts prompts.txt --no-echo --json
    lmcli generate "Once" --model path/to/a/model --greedy
    lmcli generate "The [MASK] sat on the mat" --model bert
    lmcli generate "def add(a, b):" --suffix "print(add(1, 2))"
    """
    from lmcli.cli.making import made_or_planned
    from lmcli.cli.writing import settle, write_now

    given = settle(session, prompt)
    if save:
        return made_or_planned(session, {save: "generate"}, given)
    return write_now(session, given)
