"""The stages of `clean` as steps of a datatrove pipeline, and what all its executors need here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from datatrove.pipeline.base import PipelineStep
from loguru import logger

from lmcli.corpus.engines import notes
from lmcli.corpus.shards import Job, Shard
from lmcli.progress import Silent


class _Step(PipelineStep):
    """Work on files that all tasks share; no documents pass from step to step. `notes` is the folder for its notes."""

    type = "lmcli"

    def __init__(self, job: Job, notes: Path) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.job = job
        self.notes = notes

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> Any:
        with notes.reported(self.notes, rank, f"{self.name} {Shard(rank, world_size)}"):
            self.work(rank, world_size)

    def work(self, rank: int, world_size: int) -> None:
        raise NotImplementedError


class Map(_Step):
    """Task i makes shard i."""

    name = "shard"

    def work(self, rank: int, world_size: int) -> None:
        self.job.map(rank, 1, Silent())


class Match(_Step):
    """Task i of n finds the pairs of the buckets i, i + n, i + 2 n, ..."""

    name = "pairs"

    def work(self, rank: int, world_size: int) -> None:
        for bucket in range(rank, self.job.buckets, world_size):
            self.job.match(bucket)


class Quiet:
    """Mixed into an executor: nothing on the terminal of who waits for it, no files that nobody reads."""

    verbose = False

    def save_executor_as_json(self, indent: int = 4) -> None:
        """Left out: it would list every source again."""

    def _run_for_rank(self, *arguments: Any, **named: Any) -> Any:
        if not self.verbose:
            logger.disable("datatrove")
        return super()._run_for_rank(*arguments, **named)  # type: ignore[misc]
