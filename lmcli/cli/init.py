"""lmcli init."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lmcli.cli.arguments import DryRun
from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown


@command()
def init(
    session: Session,
    directory: Annotated[Path, typer.Argument(metavar="[DIR]", help="The project's folder; here by default.")] = Path(),
    template: Annotated[
        str, typer.Option("--template", "-t", help="What to start from; --list names them.")
    ] = "default",
    show_list: Annotated[bool, typer.Option("--list", help="List the templates.")] = False,
    dry_run: DryRun = False,
) -> Shown:
    """Make a project: lmcli.toml and a corpus/ folder. Nothing that is in the folder is changed.

    \b
    lmcli init                            in this folder
    lmcli init story                      in a new folder
    lmcli init demo --template quickstart with a corpus to start from
    """
    from lmcli.project import scaffold

    if show_list:
        known = {name: scaffold.about(path) for name, path in scaffold.templates().items()}
        return Shown({"templates": known}, [f"{name:12} {about}" for name, about in known.items()])
    done = scaffold.init(session.folder / directory, template, dry_run=dry_run)
    verb = "would write" if dry_run else "wrote"
    lines = [f"{verb} {name}" for name in done.written] + [f"kept {name}" for name in done.kept]
    folder = "" if directory == Path() else f"cd {directory} && "
    next_step = "lmcli run" if template != scaffold.DEFAULT else "lmcli tokenize corpus/"
    lines.append(f"next: {'put text into corpus/, then ' if template == scaffold.DEFAULT else ''}{folder}{next_step}")
    data = {"project": str(done.root), "template": template, "written": done.written, "kept": done.kept}
    return Shown(data, lines)
