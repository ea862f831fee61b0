"""Prints docs/commands.md: the help of every command, as the program gives it."""

from __future__ import annotations

import contextlib
import io
import os

from lmcli.cli.app import COMMANDS
from lmcli.cli.boundary import run

WIDTH = "100"


def help_of(*arguments: str) -> str:
    """What `lmcli ... --help` prints at a width of 100 columns."""
    os.environ["COLUMNS"] = os.environ["TERMINAL_WIDTH"] = WIDTH
    with contextlib.redirect_stdout(io.StringIO()) as out:
        run([*arguments, "--help"])
    return "\n".join(line.rstrip() for line in out.getvalue().strip().splitlines())


def page() -> str:
    parts = ["# Commands", "Made by `make docs` from the program itself.", f"```\n{help_of()}\n```"]
    for name in COMMANDS:
        parts += [f"## lmcli {name}", f"```\n{help_of(name)}\n```"]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201
