"""`-` as an input: what is piped in becomes a file of the project."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from lmcli.errors import UsageError
from lmcli.units import size

if TYPE_CHECKING:
    from lmcli.cli.session import Session


def kept(session: Session) -> str:
    """The path, as the project states it, under which standard input is kept.

    With --dry-run nothing is written into the project, so that is a temporary file unless the project has it already.
    """
    from lmcli.corpus import standard_input

    root = session.project.root
    if session.dry_run:
        folder, path = _aside(session)
        there = root / path.relative_to(folder)
        return session.place(str(there if there.exists() else path))
    stream, format = _stream(), _format(session)
    with session.project.writing(), session.console.task("standard input", unit="B") as task:
        found = standard_input.keep(stream, root, format, task.advance)
    place = found.path.relative_to(root).as_posix()
    session.console.say(f"standard input ({size(found.bytes)}) is kept as {place}")
    return place


def temporary(session: Session) -> Path:
    """A file that holds what is piped in until the command ends."""
    return _aside(session)[1]


def _aside(session: Session) -> tuple[Path, Path]:
    """A temporary folder, and the file in it."""
    from lmcli.corpus import standard_input

    stream = _stream()
    folder = Path(tempfile.mkdtemp(prefix="lmcli-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder, standard_input.keep(stream, folder, _format(session)).path


def _format(session: Session) -> str:
    return next((str(value) for key, value in session.flags.items() if key.endswith(".format")), "auto")


def _stream() -> BinaryIO:
    if sys.stdin is None or sys.stdin.closed or sys.stdin.isatty():
        raise UsageError(
            "- reads standard input, and nothing is piped into it", "for example: cat FILE | lmcli clean -"
        )
    return sys.stdin.buffer
