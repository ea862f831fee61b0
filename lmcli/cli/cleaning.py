"""The ways of `lmcli clean`: the whole corpus, a shard of it, or all shards together."""

from __future__ import annotations

import os

from lmcli.cli.making import make, planned, shown
from lmcli.cli.session import Session, Shown
from lmcli.cores import cores
from lmcli.errors import ArtifactError
from lmcli.project import durable
from lmcli.project.settings import Given
from lmcli.stages import cleaning

TARGET = {"clean": "clean"}


def whole(session: Session, given: Given, workers: int, *, merge: bool = False) -> Shown:
    """The corpus, from complete shards if there are any; `merge` insists on that."""
    project = session.project
    if merge:
        count = cleaning.shards_found(project, given)
        if count is None:
            raise ArtifactError(
                "there are no shards of this corpus", "make each with: lmcli clean --shard 0/2, 1/2, ..."
            )
        cleaning.job(project, given, count).shards()
    if session.dry_run:
        plan = planned(session, TARGET, given)
        return plan if merge else tried(session, given, workers, plan)
    merged = cleaning.merged_shards(project, given)
    outcomes = make(session, TARGET, given, workers=workers)
    if merged:
        with project.writing():
            durable.remove_tree(merged)
    return shown(project, outcomes)


def tried(session: Session, given: Given, workers: int, plan: Shown) -> Shown:
    """What would be made, and what cleaning makes of a sample; nothing is written into the project."""
    from lmcli.cli import audit

    found, sample = cleaning.trial(session.project, given, session.console, workers or cores())
    report = found.report()
    figures = sample.figures()
    data = {**plan.data, "sample": figures, "audit": report}
    return Shown(data, [*plan.lines, *audit.sampled(report, figures)])


def write_shard(session: Session, given: Given, text: str, workers: int) -> Shown:
    """One shard. It takes no project lock, for others are written at the same time."""
    from lmcli.corpus.shards import parse_shard

    shard = parse_shard(text, os.environ)
    job = cleaning.job(session.project, given, shard.count)
    if session.dry_run:
        missing = shard.index in job.missing()
        lines = [f"would make shard {shard}" if missing else f"shard {shard} is there already"]
        return Shown({"shard": str(shard), "would_make": missing}, lines)
    made = job.map(shard.index, workers or cores(), session.console)
    left = len(job.missing())
    lines = [
        f"shard {shard} {'-> ' + job.folder.relative_to(session.root).as_posix() if made else 'was there already'}"
    ]
    lines.append(f"{left} of {shard.count} shards are missing" if left else "all are there: lmcli clean --merge")
    return Shown({"shard": str(shard), "made": made, "missing": job.missing()}, lines)
