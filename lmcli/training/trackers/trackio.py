"""trackio: a database on this machine; `trackio show` draws it. TRACKIO_SPACE_ID would send it to a Space."""

from __future__ import annotations

from typing import Annotated, Any

from lmcli.config import section
from lmcli.training.trackers.tracker import Row, Tracked, figures, library


@section
class Trackio:
    project: Annotated[str, "the project there; empty takes the name of the project's folder"] = ""

    def start(self, run: Tracked) -> LocalRun:
        """A run that is resumed goes on under its name; one that begins is a new one of that name."""
        trackio = library("trackio", "trackio")
        return LocalRun(
            trackio.init(
                project=self.project or run.project,
                name=run.name,
                config=dict(run.settings),
                resume="allow" if run.step else "never",
                embed=False,
                auto_log_cpu=False,
            )
        )


class LocalRun:
    def __init__(self, run: Any) -> None:
        self._run = run

    def log(self, row: Row) -> None:
        self._run.log(figures(row), step=row["step"])

    def close(self) -> None:
        self._run.finish()
