"""Makes artifacts for a command, or says what would be made; the result as lines and as data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lmcli.cli.session import Session, Shown
from lmcli.cores import cores
from lmcli.project.freshness import Verdict
from lmcli.project.lock import Entry
from lmcli.project.project import Project
from lmcli.project.runner import Outcome, Runner
from lmcli.project.settings import Given


def make(
    session: Session, targets: Mapping[str, str], given: Given, *, workers: int = 0, force: Sequence[str] | None = None
) -> list[Outcome]:
    """Make the targets (artifact name -> kind) in order; `force` names those that are made even when fresh."""
    from lmcli.cli.launching import together
    from lmcli.stages.graph import graph

    project = session.project
    forced = list(targets) if session.force else list(force or ())
    with together(session, lambda: graph(project, given, targets)), project.writing():
        runner = Runner(project, graph(project, given, targets), session.console, workers or cores())
        return [runner.make(name, force=name in forced, started=session.started) for name in targets]


def made_or_planned(
    session: Session, targets: Mapping[str, str], given: Given, *, workers: int = 0, force: Sequence[str] | None = None
) -> Shown:
    """`make`, shown; with --dry-run only what would be made and why."""
    if session.dry_run:
        return planned(session, targets, given)
    return shown(session.project, make(session, targets, given, workers=workers, force=force))


def trained_or_planned(
    session: Session, targets: Mapping[str, str], given: Given, nproc: int, max_restarts: int
) -> Shown:
    """`made_or_planned` for what is trained: in `nproc` processes, unless there is nothing to do."""
    from lmcli.cli.launching import check, relaunched
    from lmcli.stages.graph import graph

    check(nproc, max_restarts)
    if nproc > 1 and not session.dry_run:
        pending = Runner(session.project, graph(session.project, given, targets)).pending(list(targets))
        if pending or session.force:
            relaunched(session, nproc, max_restarts)
    return made_or_planned(session, targets, given)


def planned(session: Session, targets: Mapping[str, str], given: Given) -> Shown:
    from lmcli.stages.graph import graph

    project = session.project
    pending = Runner(project, graph(project, given, targets)).pending(list(targets))
    return describe_pending(pending)


def describe_pending(pending: Sequence[Verdict]) -> Shown:
    lines = [f"would make {item.name}: {'; '.join(item.reasons)}" for item in pending]
    data = {"would_make": [{"name": item.name, "reasons": list(item.reasons)} for item in pending]}
    return Shown(data, lines or ["nothing to do"])


def shown(project: Project, outcomes: Sequence[Outcome]) -> Shown:
    lines = [line for outcome in outcomes for line in describe(project, outcome)]
    return Shown({"artifacts": [as_data(outcome.entry, outcome.made) for outcome in outcomes]}, lines)


def describe(project: Project, outcome: Outcome) -> list[str]:
    """What was made, in the stage's own words."""
    from lmcli.stages.graph import KINDS

    entry = outcome.entry
    if not outcome.made:
        return [f"{entry.name} is up to date ({entry.path})"]
    return [
        f"{entry.name} -> {entry.path}",
        *(f"  {line}" for line in KINDS.load(entry.stage).summary(entry, project.root / entry.path)),
    ]


def as_data(entry: Entry, made: bool) -> dict[str, Any]:
    """A JSON view of an artifact; figures of the report lie at the top of `report`."""
    return {
        "name": entry.name,
        "kind": entry.kind,
        "made": made,
        "path": entry.path,
        "digest": entry.digest,
        "bytes": entry.bytes,
        "report": entry.report,
        "plan": entry.plan,
    }
