"""--extend and --continue-from, in whichever form they are given: training that begins with what was trained before."""

from __future__ import annotations

from dataclasses import replace

from lmcli.cli.session import Session
from lmcli.errors import UsageError
from lmcli.project.settings import Given


def base_of(session: Session, name: str, model: str | None) -> str | None:
    """The setting for --continue-from: an artifact's name stands for what it holds now, for it may be made anew.

    `model` is the flag's value; without it what --set or the environment says is taken.
    """
    asked: str | None = session.given(train__continue_from=model).asked("train.continue_from")
    if not asked:
        return model
    entry = session.project.manifest().entries.get(asked)
    by_name = entry is not None or model is None  # a path in --set is the project's, as it is in lmcli.toml
    base = asked if by_name else session.place(asked)
    if base == name:
        message = f"{name} would take the place of the model that it is made from"
        raise UsageError(message, f"give the new model a name: --continue-from {asked} --name NEW")
    if entry is None:
        return base
    session.project.directory(entry)  # whose files are as they were made, or this raises
    session.console.say(f"from {asked} as it is now: {entry.path}")
    return entry.path


def extension_of(session: Session, name: str, given: Given) -> Given:
    """With --extend the settings with which the model was made hold too; raises ArtifactError when it can't be done."""
    if not given.asked("train.extend"):
        return given
    from lmcli.stages.extending import check
    from lmcli.stages.graph import graph

    on_top = replace(given, on_top=True)
    if not session.force:
        check(session.project, graph(session.project, on_top, {name: "train"}), name)
    return on_top
