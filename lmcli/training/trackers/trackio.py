"""trackio: a database on this machine; `trackio show` draws it. TRACKIO_SPACE_ID would send it to a Space."""

from __future__ import annotations

from typing import Annotated, Any

from lmcli.config import section
from lmcli.training.trackers.tracker import Row, Tracked, figures, library


@section
class Trackio:
    project: Annotated[str, "the project there; empty takes the name of the project's folder"] = ""

    def start(self, run: Tracked) -> CurrentRun:
        """A run that is resumed goes on under its name; one that begins is a new one of that name."""
        trackio = library("trackio", "trackio")
        trackio.init(
            project=self.project or run.project,
            name=run.name,
            config=dict(run.settings),
            resume="allow" if run.step else "never",
            embed=False,
            auto_log_cpu=False,
        )
        return CurrentRun(trackio)


class CurrentRun:
    """Through the module: what it isn't told itself to finish, it finishes once more when Python ends."""

    def __init__(self, trackio: Any) -> None:
        self._trackio = trackio

    def log(self, row: Row) -> None:
        self._trackio.log(figures(row), step=row["step"])

    def close(self) -> None:
        self._trackio.finish()
