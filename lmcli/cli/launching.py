"""A command in several processes: started here under torchrun (`--nproc`), or by any launcher that sets RANK."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import typer

from lmcli.cli.session import STARTED, Session
from lmcli.errors import LmcliError, MachineError, Stopped, UsageError
from lmcli.project.stage import Graph

MINE = "_LMCLI_NPROC"
"""Set for processes that `--nproc` started: the launcher tells why they ended, so they need not guess."""
SAVING_SECONDS = "120"
"""How long processes that were told to end may take to save a checkpoint."""

LISTENING = 3.0
"""Seconds in which a process that found an error hears from the first one whether that has found it, too."""


def check(nproc: int, max_restarts: int) -> None:
    """Raises UsageError for what would start no process."""
    launched = "RANK" in os.environ
    if nproc > 1 and launched and MINE not in os.environ:
        raise UsageError("--nproc starts processes, and a launcher has done so already (RANK is set)", "leave it out")
    if max_restarts and nproc == 1 and not launched:
        raise UsageError("--max-restarts is for the processes of --nproc", "give --nproc, or leave it out")


def relaunched(session: Session, nproc: int, max_restarts: int) -> None:
    """Run this command line again in `nproc` processes and leave with its exit code; 1, or a launcher: do nothing."""
    check(nproc, max_restarts)
    if nproc == 1 or "RANK" in os.environ:
        return
    _prepare_environment(nproc)
    os.environ[STARTED] = str(session.started)
    logging.disable(logging.CRITICAL)  # what torchrun would log is said in words below
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import get_args_parser, run

    own = ["--standalone", "--local-addr=127.0.0.1", f"--nproc-per-node={nproc}", f"--max-restarts={max_restarts}"]
    options = get_args_parser().parse_args([*own, "-m", "lmcli"])
    options.training_script_args = sys.argv[1:]  # torchrun's parser would take our options for short forms of its own
    try:
        run(options)  # type: ignore[no-untyped-call]
    except SignalException as stop:
        raise typer.Exit(128 + int(stop.sigval)) from None  # rank 0 has said what is saved
    except ChildFailedError as failed:
        _explain({rank: failure.exitcode for rank, failure in failed.failures.items()}, nproc)
    raise typer.Exit(0)


def _prepare_environment(nproc: int) -> None:
    from lmcli.cores import cores

    os.environ[MINE] = str(nproc)
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores() // nproc)))
    os.environ.setdefault("TORCH_ELASTIC_SHUTDOWN_TIMEOUT", SAVING_SECONDS)
    if sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")
    if sys.path[0] not in ("", os.getcwd()):  # noqa: PTH109 - `-m` would put this folder before the libraries
        os.environ.setdefault("PYTHONSAFEPATH", "1")


def _explain(codes: dict[int, int], nproc: int) -> NoReturn:
    """Pass on what ended the processes: the exit code of the one that did not just follow another one."""
    rank = min(codes, key=lambda rank: (codes[rank] > 0, rank == 0))  # killed ones first, rank 0 last
    code = codes[rank]
    if code > 0 and codes.get(0) == code:
        raise typer.Exit(code)  # rank 0 has said why
    how = f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    hint = "the same command goes on from the last checkpoint; --max-restarts does so by itself"
    error = MachineError(f"process {rank} of {nproc} {how}", hint)
    error.exit_code = MachineError.exit_code if code < 0 else code
    raise error


@contextlib.contextmanager
def together(session: Session, graph: Callable[[], Graph]) -> Iterator[None]:
    """The block is rank 0's; other processes assist it in training and leave when it is done."""
    if "RANK" not in os.environ or int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield
        return
    from lmcli.training import joining
    from lmcli.training.world import LostContactError, lost_peers

    here = joining.join()
    try:
        if here.rank:
            _assist(here, session, graph)
        with lost_peers():
            yield
    except LostContactError:
        if MINE in os.environ:
            raise typer.Exit(MachineError.exit_code) from None
        raise
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the launcher sends them once more to whom is leaving already
        if here.rank == 0:
            with contextlib.suppress(RuntimeError):  # the launcher may be gone
                here.dismiss(getattr(sys.exception(), "exit_code", 0))
        joining.leave()


def _assist(here: Any, session: Session, graph: Callable[[], Graph]) -> NoReturn:
    from lmcli.stages.crew import assist

    try:
        assist(here, session.project.root, graph())
    except Stopped as stop:
        raise typer.Exit(stop.exit_code) from None  # rank 0 says so
    except LmcliError as error:
        if _told_by_the_first(here, error.exit_code):
            raise typer.Exit(error.exit_code) from None
        error.message = f"process {here.rank} of {here.size}: {error.message}"
        raise
    raise typer.Exit(0)


def _told_by_the_first(here: Any, code: int) -> bool:
    """Whether the first process ends with the same code: then it has found the same, and says so."""
    from lmcli.training.world import LostContactError

    try:
        return here.wait(LISTENING) is None and here.ended == code
    except LostContactError:
        return False
