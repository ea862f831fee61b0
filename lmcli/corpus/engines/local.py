"""Tasks as processes of this machine."""

from __future__ import annotations

import signal
from collections.abc import Mapping

from datatrove.executor.local import LocalPipelineExecutor
from multiprocess import forkserver, resource_tracker

from lmcli.cores import cores
from lmcli.corpus.engines import Options
from lmcli.corpus.engines.phases import attend, listen, phases, silence
from lmcli.corpus.engines.steps import Quiet
from lmcli.corpus.shards import Job
from lmcli.progress import Progress


class Local(Quiet, LocalPipelineExecutor):
    """datatrove's executor; a class of this module, so that its processes find it by name."""


def run(job: Job, options: Options, progress: Progress) -> Mapping[str, str]:
    """Make the shards and find the pairs of each bucket, `options.workers` tasks at a time."""
    silence()
    _start_deaf()
    workers = options.workers or cores()
    for phase in phases(job):
        executor = Local(
            [phase.step],
            tasks=phase.tasks,
            workers=min(workers, phase.tasks),
            logging_dir=str(phase.logs),
            skip_completed=False,
        )
        executor.verbose = options.verbose
        listen(progress, options.verbose)
        attend(executor.run, phase, progress)
        silence()
    return {}


def _start_deaf() -> None:
    """Start the process that tasks are forked from with SIGINT blocked, which they inherit.

    Ctrl-C reaches every process of a terminal, and what to do about it is the business of this one.
    """
    resource_tracker.ensure_running()  # type: ignore[no-untyped-call]  # which unblocks signals when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        forkserver.ensure_running()  # type: ignore[no-untyped-call]
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
