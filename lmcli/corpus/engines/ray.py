"""Tasks on a Ray cluster, or on Ray started on this machine for as long as the command runs."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from datatrove.executor.ray import RayPipelineExecutor

from lmcli.cores import cores
from lmcli.corpus.engines import Options, missing
from lmcli.corpus.engines.phases import attend, listen, phases, silence
from lmcli.corpus.engines.steps import Quiet
from lmcli.corpus.shards import Job
from lmcli.errors import MachineError
from lmcli.progress import Progress

_STORE = 80_000_000  # bytes of shared memory, close to the least that Ray takes: tasks exchange files, not objects


class Ray(Quiet, RayPipelineExecutor):
    """datatrove's executor; a class of this module, so that other processes find it by name."""

    def _run_for_rank(self, *arguments: Any, **named: Any) -> Any:
        """Its logs go through a fixed name in the folder for temporary files, which here no other task uses."""
        with tempfile.TemporaryDirectory() as own:
            shared, tempfile.tempdir = tempfile.gettempdir(), own
            try:
                return super()._run_for_rank(*arguments, **named)
            finally:
                tempfile.tempdir = shared


def run(job: Job, options: Options, progress: Progress) -> Mapping[str, str]:
    """Make the shards and find the pairs of each bucket.

    The cluster is the one at `options.address` or $RAY_ADDRESS, whose machines see the project under the same path;
    without either it is this machine, with `options.workers` processors.
    """
    silence()
    address = options.address or os.environ.get("RAY_ADDRESS")
    workers = options.workers or (job.count if address else cores())
    with _cluster(address, workers):
        for phase in phases(job):
            executor = Ray(
                [phase.step],
                tasks=phase.tasks,
                workers=min(workers, phase.tasks),
                mem_per_cpu_gb=2 if address else 0,
                logging_dir=str(phase.logs),
                skip_completed=False,
            )
            executor.verbose = options.verbose
            listen(progress, options.verbose)
            attend(executor.run, phase, progress)
            silence()
    return {}


@contextlib.contextmanager
def _cluster(address: str | None, workers: int) -> Iterator[None]:
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # read when ray is imported
    if address:
        _check_address(address)
    try:
        import ray
    except ModuleNotFoundError as error:
        raise missing(error, "ray") from None
    here: dict[str, Any] = {
        "num_cpus": workers,
        "include_dashboard": False,
        "object_store_memory": _STORE,
        "_node_ip_address": "127.0.0.1",
    }
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        ray.init(
            address=address or "local", log_to_driver=False, logging_level=logging.ERROR, **({} if address else here)
        )
    except Exception as error:
        where = f"the Ray cluster at {address}" if address else "Ray on this machine"
        raise MachineError(f"can't reach {where}: {str(error).splitlines()[0]}", "ray status says what runs") from None
    for number, handler in handlers.items():
        signal.signal(number, handler)
    try:
        yield
    finally:
        ray.shutdown()


def _check_address(address: str) -> None:
    """Raises MachineError where nothing answers: Ray itself would try again for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
        except OSError as error:
            reason = error.strerror or str(error)
            raise MachineError(
                f"can't reach the Ray cluster at {address}: {reason}", "give HOST:PORT or auto"
            ) from None
