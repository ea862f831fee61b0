"""lmcli path."""

from __future__ import annotations

from typing import Annotated

import typer

from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown


@command()
def path(session: Session, name: Annotated[str, typer.Argument(help="An artifact: model, tokens, ...")]) -> Shown:
    """Print the directory of an artifact's current result, after checking that its files are as they were made.

    \b
    lmcli path model
    python -c "import transformers; ..." "$(lmcli path model)"
    """
    project = session.project
    directory = project.directory(project.entry(name))
    project.digests.save()
    return Shown({"name": name, "path": str(directory)}, [str(directory)])
