"""TensorBoard: event files in runs/NAME/tensorboard; `tensorboard --logdir runs` shows them."""

from __future__ import annotations

from typing import Any

from lmcli.config import section
from lmcli.training.trackers.tracker import Row, Tracked, figures, library

FLUSH_SECONDS = 10


@section
class TensorBoard:
    def start(self, run: Tracked) -> EventFile:
        """Events of steps after `run.step` that a killed command left behind are hidden."""
        library("tensorboard", "tensorboard")
        writer = library("torch.utils.tensorboard", "tensorboard").SummaryWriter
        purge = run.step + 1 if run.step else None
        return EventFile(writer(str(run.directory / "tensorboard"), purge_step=purge, flush_secs=FLUSH_SECONDS))


class EventFile:
    """One scalar for each number of a row."""

    def __init__(self, writer: Any) -> None:
        self._writer = writer

    def log(self, row: Row) -> None:
        for name, value in figures(row).items():
            self._writer.add_scalar(name, value, row["step"])

    def close(self) -> None:
        self._writer.close()
