"""Training in several processes: the first one makes the stage and calls the others to its `assist`."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmcli.errors import ConfigError, DivergedError
from lmcli.progress import Silent
from lmcli.project.stage import Graph, Work
from lmcli.training.joining import Crew, crew
from lmcli.training.world import CommonError, CommonStop, LostContactError, lost_peers

FAREWELL = 10.0
"""Seconds in which the first process says that it has ended, after the others lost contact to it."""


def call(work: Work, requested: Mapping[str, Any]) -> None:
    """Have the other processes of this command, if there are any, assist in what `work` is for."""
    others = crew()
    if others is not None:
        inputs = {name: path.relative_to(work.root).as_posix() for name, path in work.inputs.items()}
        task = {"stage": work.name, "key": work.key, "inputs": inputs, "requested": requested, "force": work.force}
        others.call(task)


def assist(here: Crew, root: Path, graph: Graph) -> None:
    """Do what the first process calls for, until it says that it is done. Nothing is written.

    What all find out together (too little memory, training diverged, a signal came while steps were taken) is the
    first one's to tell. A signal that came to this process alone ends it, and the launcher the others.
    """
    while (task := here.wait()) is not None:
        try:
            with lost_peers():
                _assist(task, root, graph)
        except (CommonError, DivergedError, CommonStop):
            continue
        except LostContactError:
            if here.wait(FAREWELL) is not None:
                raise
            return


def _assist(task: Mapping[str, Any], root: Path, graph: Graph) -> None:
    stage = graph.get(task["stage"])
    if stage is None or stage.assist is None or json.loads(json.dumps(stage.requested)) != task["requested"]:
        raise ConfigError(
            f"this process would not make {task['stage']} with the settings that the first one has",
            "lmcli.toml, flags and environment must be the same for all",
        )
    inputs = {name: root / path for name, path in task["inputs"].items()}
    started, force = time.monotonic(), task["force"]
    stage.assist(Work(stage.name, task["key"], root, root, inputs, {}, Silent(), started=started, force=force))
