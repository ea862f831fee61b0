"""--extend and --continue-from: training that begins with what was trained before."""

from __future__ import annotations

from dataclasses import replace

from lmcli.cli.session import Session
from lmcli.errors import UsageError
from lmcli.project.settings import Given


def base_of(session: Session, name: str, model: str | None) -> str | None:
    """The setting for --continue-from: an artifact's name stands for what it holds now, for it may be made anew."""
    if model is None:
        return None
    entry = session.project.manifest().entries.get(model)
    if entry is None:
        return session.place(model)
    if model == name:
        message = f"{name} would take the place of the model that it is made from"
        raise UsageError(message, f"give the new model a name: --continue-from {model} --name NEW")
    session.project.directory(entry)  # whose files are as they were made, or this raises
    session.console.say(f"from {model} as it is now: {entry.path}")
    return entry.path


def extension_of(session: Session, name: str, given: Given) -> Given:
    """With --extend the settings with which the model was made hold too; raises ArtifactError when it can't be done."""
    if not given.flags.get("train.extend"):
        return given
    from lmcli.stages.extending import check
    from lmcli.stages.graph import graph

    on_top = replace(given, on_top=True)
    if not session.force:
        check(session.project, graph(session.project, on_top, {name: "train"}), name)
    return on_top
