"""The directory of a run, runs/NAME: its key and plan, its metrics and its checkpoints."""

from __future__ import annotations

import dataclasses
import itertools
import json
from pathlib import Path
from typing import Any

from lmcli.errors import ArtifactError
from lmcli.project import durable
from lmcli.training.checkpoints import Checkpoints
from lmcli.training.metrics import MetricsLog
from lmcli.training.plan import Plan, Replan, Timeline

FORMAT = 1


class RunDirectory:
    """The state of one run on disk. It belongs to one key: what the run is made from."""

    def __init__(self, path: Path, key: str) -> None:
        """Open `path` for `key`. A run with another key that is there is moved to path.1, path.2, ...: never deleted.

        Raises ArtifactError when run.json is damaged.
        """
        self.path = path
        self.key = key
        self.plan: Plan | None = None
        self.replan: Replan | None = None
        self._open()
        self.metrics = MetricsLog(path / "metrics.jsonl")
        self.checkpoints = Checkpoints(path)
        self.checkpoints.remove_garbage()

    def _open(self) -> None:
        if self.path.is_dir() and (values := self._read()) is not None:
            if values["key"] == self.key:
                self.plan = Plan.from_json(values["plan"])
                self.replan = Replan(**values["replan"]) if values["replan"] else None
            else:
                move_aside(self.path)
        durable.mkdir(self.path)
        for leftover in sorted(self.path.glob(f"{durable.TEMPORARY}*")):
            durable.unlink(leftover)

    @property
    def file(self) -> Path:
        return self.path / "run.json"

    def _read(self) -> dict[str, Any] | None:
        if not self.file.exists():
            return None
        try:
            values: dict[str, Any] = json.loads(self.file.read_bytes())
            known = values["format"] == FORMAT and {"key", "plan", "replan"} <= values.keys()
        except (ValueError, KeyError, TypeError):
            raise ArtifactError(f"{self.file} is damaged", "train anew with --force") from None
        if not known:
            raise ArtifactError(f"{self.file} is of another lmcli, or damaged", "train anew with --force")
        return values

    def begin(self, plan: Plan) -> None:
        """Write the plan durably; nothing may be trained before."""
        self.plan = plan
        self._write()

    def log_replan(self, replan: Replan) -> None:
        """Write a re-plan durably; it may take effect afterwards."""
        self.replan = replan
        self._write()

    def _write(self) -> None:
        assert self.plan is not None
        values = {
            "format": FORMAT,
            "key": self.key,
            "plan": self.plan.to_json(),
            "replan": dataclasses.asdict(self.replan) if self.replan else None,
        }
        durable.write(self.file, json.dumps(values, indent=2, sort_keys=True) + "\n")

    @property
    def timeline(self) -> Timeline:
        """Steps and progress as planned and re-planned so far."""
        assert self.plan is not None
        return Timeline(self.plan.pace.steps, self.replan)


def move_aside(path: Path) -> Path:
    """Rename a run directory to the first free of path.1, path.2, ...; returns the new name."""
    free = next(target for n in itertools.count(1) if not (target := path.with_name(f"{path.name}.{n}")).exists())
    durable.replace(path, free)
    return free
