"""Whether a model can be made longer: an extension goes on in the run that made it, and changes nothing else."""

from __future__ import annotations

import json

from lmcli.errors import ArtifactError
from lmcli.project.project import Project
from lmcli.project.runner import Runner
from lmcli.project.stage import Graph
from lmcli.stages.train import run_key


def check(project: Project, nodes: Graph, name: str) -> None:
    """Raises ArtifactError unless `name` was made from what it would be made from now, by a run that is still there.

    `lmcli run`, which makes what lmcli.toml and the lock ask for, needs no such run: it trains anew to the later end.
    """
    stage = nodes[name]
    entry = project.manifest().entries.get(name)
    if entry is None:
        raise ArtifactError(f"there is no {name} that could be extended", f"make it first: `{stage.command}`")
    verdict = Runner(project, nodes).verdicts()[name]
    reasons = [reason for reason in verdict.reasons if not reason.startswith("train.extend changed")]
    if reasons:
        hint = f"an extension changes nothing but the end; `lmcli run {name}` trains anew"
        raise ArtifactError(f"{name} can't be extended: {'; '.join(reasons)}", hint)
    if not verdict.fresh:
        _check_run(project, name, run_key(stage, entry.inputs))


def _check_run(project: Project, name: str, key: str) -> None:
    directory = project.runs / name
    hint = (
        f"train it further as a new model: `lmcli train --continue-from {name} --name NEW`; "
        f"or train anew up to the later end: add --force"
    )
    try:
        run = json.loads((directory / "run.json").read_bytes())
        pointer = json.loads((directory / "checkpoints.json").read_bytes())
    except (OSError, ValueError):
        raise ArtifactError(f"{name} can't be extended: its run in runs/{name} is gone", hint) from None
    if run.get("key") != key:
        raise ArtifactError(f"{name} can't be extended: runs/{name} holds another run", hint)
    if not pointer.get("stable"):
        message = f"{name} can't be extended: its run kept no checkpoint from before a cooldown"
        raise ArtifactError(message, f"only the schedule wsd has one; {hint}")
