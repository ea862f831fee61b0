"""Weights & Biases. Offline unless WANDB_MODE says otherwise: `wandb sync runs/NAME/wandb/offline-*` sends the run."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Annotated, Any

from lmcli.config import section
from lmcli.project import durable
from lmcli.training.trackers.tracker import Row, Tracked, figures, library


@section
class Wandb:
    project: Annotated[str, "the project there; empty takes the name of the project's folder"] = ""

    def start(self, run: Tracked) -> OnlineRun:
        """A run that is resumed keeps its identity there."""
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # it would send its own failures over the network
        os.environ.setdefault("WANDB_SILENT", "true")
        wandb = library("wandb", "wandb")
        return OnlineRun(
            wandb.init(
                project=self.project or run.project,
                name=run.name,
                id=_identity(run.directory),
                resume="allow" if run.step else None,
                dir=str(run.directory),
                mode=os.environ.get("WANDB_MODE", "offline"),
                config=dict(run.settings),
                settings=wandb.Settings(console="off", disable_git=True, save_code=False, x_disable_stats=True),
            )
        )


def _identity(directory: Path) -> str:
    """The run's name there, drawn once and kept in its directory."""
    path = directory / "wandb-id"
    if not path.exists():
        durable.write(path, secrets.token_hex(4))
    return path.read_text()


class OnlineRun:
    def __init__(self, run: Any) -> None:
        self._run = run

    def log(self, row: Row) -> None:
        self._run.log(figures(row), step=row["step"])

    def close(self) -> None:
        self._run.finish()
