"""The one place where errors become a line and an exit code, and signals become exceptions."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any, NoReturn

from lmcli.errors import LmcliError, MachineError, Stopped, from_os_error

BROKEN_PIPE = 141


def main(arguments: list[str] | None = None) -> NoReturn:
    """Run the command line and exit with the documented code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    has_stdout = sys.stdout is not None
    # OpenMP's threads spin while they wait, which takes the cores from whatever else runs: beside a second busy program
    # on two cores training was ten times as slow. A short spin costs little on a quiet machine (docs/performance.md);
    # it has to be set before torch is imported.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")
    _prepare_streams()
    _install_signals()
    code = run(arguments)
    if code == 0 and not has_stdout and "--json" in arguments:
        code = _report("stdout is closed, so the document is lost", "leave out --json or `>&-`", 5, False)
    code = _flush(code)
    try:
        sys.stderr.flush()
    except OSError:
        _silence(sys.stderr)
    sys.exit(code)


def run(arguments: list[str]) -> int:
    """Run the command line; the exit code. Errors have been reported."""
    as_json = "--json" in arguments
    try:
        from lmcli.cli.app import app

        code = app(arguments, standalone_mode=False, prog_name="lmcli")
        return code if isinstance(code, int) else 0
    except SystemExit as error:
        if not isinstance(error.__context__, BrokenPipeError):  # which typer turns into exit code 1
            raise
        _silence(sys.stdout)
        return BROKEN_PIPE
    except Stopped as error:
        return _report(error.message, error.hint, error.exit_code, as_json)
    except LmcliError as error:
        return _report(error.message, error.hint, error.exit_code, as_json)
    except OSError as error:
        found = from_os_error(error)
        return _report(found.message, found.hint, found.exit_code, as_json)
    except MemoryError:
        found = MachineError("out of memory", "close other programs, or use a smaller model, batch or corpus")
        return _report(found.message, found.hint, found.exit_code, as_json)
    except Exception as error:
        return _usage_error(error, as_json) if hasattr(error, "format_message") else _bug(error, as_json)


def _usage_error(error: Any, as_json: bool) -> int:
    """typer's own errors: wrong or missing options and arguments."""
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message(), file=sys.stderr)  # noqa: T201
        return 2
    hint = f"see `{context.command_path} --help`" if context else None
    return _report(error.format_message().rstrip("."), hint, 2, as_json)


def _bug(error: Exception, as_json: bool) -> int:
    if "DefaultCPUAllocator: can't allocate memory" in str(error) or "out of memory" in str(error):
        hint = "use a smaller model, batch or context"
        return _report(str(error).splitlines()[0], hint, MachineError.exit_code, as_json)
    with contextlib.suppress(OSError):
        traceback.print_exception(error, file=sys.stderr)
    message = f"{type(error).__name__}: {error}"
    return _report(message, "this is a bug in lmcli: please report it with the output of `lmcli env`", 1, as_json)


def _report(message: str, hint: str | None, code: int, as_json: bool) -> int:
    line = " ".join(f"error: {message}{f' - {hint}' if hint else ''}".split())
    with contextlib.suppress(OSError, ValueError):
        print(line, file=sys.stderr, flush=True)  # noqa: T201 - the boundary is where text reaches the terminal
    if as_json:
        document = {"error": {"message": message, "hint": hint, "code": code}}
        with contextlib.suppress(OSError, ValueError):
            print(json.dumps(document, ensure_ascii=False))  # noqa: T201
    return code


def _prepare_streams() -> None:
    """Text that the terminal can't show is escaped; a closed stream is replaced, so that nothing fails halfway."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123 - lives as long as the process
        elif isinstance(stream.buffer, io.RawIOBase):  # PYTHONUNBUFFERED, where half a write goes unnoticed
            buffer = io.BufferedWriter(stream.buffer)
            setattr(sys, name, io.TextIOWrapper(buffer, stream.encoding, "backslashreplace", line_buffering=True))
        else:
            stream.reconfigure(errors="backslashreplace")


def _install_signals() -> None:
    def stop(number: int, frame: object) -> NoReturn:
        raise Stopped(number, f"stopped by {signal.Signals(number).name}", "the same command goes on where it was")

    handler: Callable[[int, Any], Any] = stop
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, handler)
    if hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, lambda number, frame: None)  # asks for a checkpoint: only training has one


def _flush(code: int) -> int:
    """Lost output is an error too: a pipe that closed is 141, a full disk behind stdout is 5."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _silence(sys.stdout)
        return BROKEN_PIPE
    except OSError as error:
        _silence(sys.stdout)
        found = from_os_error(error)
        return code or _report(f"could not write to stdout: {found.message}", found.hint, found.exit_code, False)
    return code


def _silence(stream: Any) -> None:
    """Python flushes a stream once more at exit; give it a place where that can't fail."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
