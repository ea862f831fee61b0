"""The directory of a run, runs/NAME: its key and plan, its metrics and its checkpoints."""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmcli.errors import ArtifactError
from lmcli.progress import Progress
from lmcli.project import durable
from lmcli.project.freshness import setting_reasons
from lmcli.training.checkpoints import Checkpoints
from lmcli.training.metrics import MetricsLog
from lmcli.training.plan import Extension, Plan, Replan, Timeline

FORMAT = 1


class RunDirectory:
    """The state of one run on disk. It belongs to one key: what the run is made from."""

    def __init__(self, path: Path, key: str, made_from: Mapping[str, Any] | None = None) -> None:
        """Open `path` for `key`. A run with another key that is there is moved to path.1, path.2, ...: never deleted.

        `made_from` ({"requested": settings, "inputs": digests}) is what the key stands for; it is kept, so that the
        reason why a run was moved aside can be named. Raises ArtifactError when run.json is damaged.
        """
        self.path = path
        self.key = key
        self.made_from = dict(made_from or {})
        self.plan: Plan | None = None
        self.replans: tuple[Replan, ...] = ()
        self.extensions: tuple[Extension, ...] = ()
        self.moved: str | None = None
        """Where the run went that was here, and why; None when none was moved."""
        self._open()
        self._open_logs()

    @classmethod
    def found(cls, path: Path, key: str) -> RunDirectory | None:
        """The run of `key` in `path`; None where there is none or another one, which stays where it is."""
        try:
            same = json.loads((path / "run.json").read_bytes())["key"] == key
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return cls(path, key) if same else None

    def _open_logs(self) -> None:
        path = self.path
        self.metrics = MetricsLog(path / "metrics.jsonl")
        self.checkpoints = Checkpoints(path)
        self.checkpoints.remove_garbage()

    def _open(self) -> None:
        if self.path.is_dir() and (values := self._read()) is not None:
            if values["key"] == self.key:
                self.plan = Plan.from_json(values["plan"])
                self.replans = tuple(Replan(**item) for item in values["replans"])
                self.extensions = tuple(Extension(**item) for item in values.get("extensions", ()))
            else:
                self.moved = f"{_differences(values.get('made_from', {}), self.made_from)}; {_moved(self.path)}"
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
            known = values["format"] == FORMAT and {"key", "plan", "replans"} <= values.keys()
        except (ValueError, KeyError, TypeError):
            raise ArtifactError(f"{self.file} is damaged", "train anew with --force") from None
        if not known:
            raise ArtifactError(f"{self.file} is of another lmcli, or damaged", "train anew with --force")
        return values

    def leave(self, reason: str) -> None:
        """Move this run aside, as for another key, and stand at the beginning of a new one."""
        self.moved = f"{reason}; {_moved(self.path)}"
        self.plan, self.replans, self.extensions = None, (), ()
        self._open()
        self._open_logs()

    def tell(self, progress: Progress) -> None:
        """Say why a run was moved aside and where to."""
        if self.moved:
            progress.say(f"a new run begins: {self.moved}")

    def begin(self, plan: Plan) -> None:
        """Write the plan durably; nothing may be trained before."""
        self.plan = plan
        self._write()

    def log_replan(self, replan: Replan) -> None:
        """Write a re-plan durably; it may take effect afterwards."""
        self.replans = (*self.replans, replan)
        self._write()

    def log_extension(self, extension: Extension) -> None:
        """Write an extension durably; it may take effect afterwards."""
        self.extensions = (*self.extensions, extension)
        self._write()

    def _write(self) -> None:
        assert self.plan is not None
        values = {
            "format": FORMAT,
            "key": self.key,
            "plan": self.plan.to_json(),
            "replans": [dataclasses.asdict(item) for item in self.replans],
            "extensions": [dataclasses.asdict(item) for item in self.extensions],
            "made_from": self.made_from,
        }
        durable.write(self.file, json.dumps(values, indent=2, sort_keys=True) + "\n")

    @property
    def timeline(self) -> Timeline:
        """Steps and progress as planned, re-planned and extended so far."""
        assert self.plan is not None
        return Timeline(self.plan.pace.steps, self.replans, self.extensions)


def _moved(path: Path) -> str:
    return f"the run before is kept as {move_aside(path).name}"


def _differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """What differs between the parts of two keys, as far as they are known."""
    reasons = setting_reasons(old.get("requested", {}), new.get("requested", {})) if old and new else []
    before, after = old.get("inputs", {}), new.get("inputs", {})
    reasons += [f"input {name} changed" for name in after if before and before.get(name) != after[name]]
    return "; ".join(reasons) or "it is made from something else"


def move_aside(path: Path) -> Path:
    """Rename a run directory to the first free of path.1, path.2, ...; returns the new name."""
    free = next(target for n in itertools.count(1) if not (target := path.with_name(f"{path.name}.{n}")).exists())
    durable.replace(path, free)
    return free
