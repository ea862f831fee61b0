"""What can go wrong, for the person at the terminal.

    LmcliError                      1  a bug, when nothing more precise is raised
     ├── UsageError                 2  the command line is wrong
     ├── InputError                 3  text or data that can't be used
     │    └── ConfigError           3  lmcli.toml, an environment variable or --set is wrong
     ├── ArtifactError              4  an artifact is missing, damaged, stale or incompatible
     ├── MachineError               5  disk, permission, memory, port, missing extra
     ├── BusyError                  6  another command is writing in the project
     ├── DivergedError              7  training met a number that isn't finite
     └── GateError                  8  a check that the user asked for did not hold

Each message is one line: what, where; the hint says what to do. Exit codes never change within a major version.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable


class LmcliError(Exception):
    """Shown to the user as `error: <message> - <hint>`; never as a traceback, except for exit code 1."""

    exit_code = 1

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(LmcliError):
    exit_code = 2


class InputError(LmcliError):
    exit_code = 3


class ConfigError(InputError):
    """`key` is the dotted setting at fault, so that whoever knows where it was given can add the place."""

    def __init__(self, message: str, hint: str | None = None, key: str | None = None) -> None:
        super().__init__(message, hint)
        self.key = key


class ArtifactError(LmcliError):
    exit_code = 4


class MachineError(LmcliError):
    exit_code = 5


class BusyError(LmcliError):
    exit_code = 6


class DivergedError(LmcliError):
    exit_code = 7


class GateError(LmcliError):
    exit_code = 8


class Stopped(BaseException):
    """A signal ended the command; the exit code is 128 + its number. No Exception, so that nothing swallows it."""

    def __init__(self, signal_number: int, message: str = "stopped", hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.exit_code = 128 + signal_number


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """A hint with the nearest known word, or None when nothing is near."""
    near = difflib.get_close_matches(word, list(known), n=1)
    return f"did you mean {near[0]}?" if near else None


_OS_HINTS = {
    errno.ENOSPC: "free some space and run the same command again; nothing that was finished is lost",
    errno.EDQUOT: "the disk quota is used up: free some space and run the same command again",
    errno.EACCES: "check the permissions of this path",
    errno.EPERM: "check the permissions of this path",
    errno.EROFS: "the file system is read-only: work in a copy of the project",
    errno.EIO: "the disk or network file system failed: check it, then run the same command again",
    errno.EMFILE: "raise the limit of open files (ulimit -n)",
}


def from_os_error(error: OSError) -> LmcliError:
    """The exit-5 error that says in words what the system call said in a number."""
    where = f" {error.filename}" if error.filename else ""
    return MachineError(f"{error.strerror or error}{where}", _OS_HINTS.get(error.errno or 0))
