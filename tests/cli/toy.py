"""Commands for tests, behind the same boundary as the real ones: `python -m tests.cli.toy fail ArtifactError`."""

from __future__ import annotations

import errno
import sys
import time
from typing import Annotated

import typer

from lmcli import errors
from lmcli.cli import app, boundary
from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown
from tests.toy_sections import Toy

COMMANDS = {
    "fail": ("tests.cli.toy:fail", "Raise an error."),
    "print": ("tests.cli.toy:print_lines", "Print many lines."),
    "wait": ("tests.cli.toy:wait", "Wait to be stopped."),
    "set": ("tests.cli.toy:set_options", "Show what the options gave."),
}


@command()
def fail(session: Session, kind: Annotated[str, typer.Argument()], message: str = "it went wrong in a.txt:3") -> Shown:
    if kind == "OSError":
        raise OSError(errno.ENOSPC, "No space left on device", "some/file")
    if kind == "MemoryError":
        raise MemoryError
    if kind == "ValueError":
        raise ValueError(message)
    raise getattr(errors, kind)(message, "do something")


@command()
def print_lines(session: Session, count: int = 1, flush: bool = False) -> Shown:
    session.console.say("saying 文")
    for _ in range(count if flush else 0):
        session.console.write("text\n", flush=True)
    return Shown({"word": "文"}, ["line with 文"] * count)


@command()
def wait(session: Session) -> Shown:
    with session.console.task("waiting") as task:
        session.console.say("ready")
        for _ in range(600):
            time.sleep(0.1)
            task.advance()
    return Shown({})


@command(writes=True, toy=Toy)
def set_options(session: Session, name: Annotated[str, typer.Option("--name", help="A name.")] = "n") -> Shown:
    """Show what the options gave."""
    shared = ("json", "quiet", "verbose", "dry_run", "force")
    data = {
        "flags": session.flags,
        "sets": session.sets,
        "folder": str(session.folder),
        "name": name,
        "on": [key for key in shared if getattr(session, key)],
    }
    return Shown(data)


if __name__ == "__main__":
    app.COMMANDS.update(COMMANDS)
    boundary.main(sys.argv[1:])
