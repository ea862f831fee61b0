"""lmcli show."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown
from lmcli.errors import UsageError


@command()
def show(
    session: Session,
    name: Annotated[str, typer.Argument(help="An artifact: model, tokens, ...")],
    more: Annotated[list[str] | None, typer.Argument(metavar="[FILE...]", help="Further files for --drift.")] = None,
    rejected: Annotated[
        str | None,
        typer.Option(metavar="REASON", help="clean: the documents dropped for this reason (or its beginning, or all)."),
    ] = None,
    page: Annotated[int, typer.Option(min=1, help="Which page of --rejected.")] = 1,
    drift: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="clean: how the text of these files differs from it.")
    ] = None,
) -> Shown:
    """Print an artifact's figures and what it was made from; with -v also its settings, its plan and the versions.

    \b
    lmcli show model -v
    lmcli show eval --json | jq .report.figures.bpb
    lmcli show clean --rejected quality.too_short --page 2
    lmcli show clean --drift new/*.txt
    """
    if more and not drift:
        raise UsageError(f"one artifact at a time: what is {more[0]}?", "see `lmcli show --help`")
    if rejected and drift:
        raise UsageError("--rejected and --drift don't go together", "ask for one of them")
    if page > 1 and not rejected:
        raise UsageError("--page is for --rejected", "as in: lmcli show clean --rejected all --page 2")
    if not rejected and not drift:
        return _artifact(session, name)
    entry = session.project.entry(name)
    if entry.stage != "clean":
        option = "--rejected" if rejected else "--drift"
        raise UsageError(f"{option} is for a cleaned corpus, and {name} is made by {entry.stage}", "lmcli show clean")
    if rejected:
        from lmcli.cli import audit

        return audit.rejected(session, session.project.directory(entry), name, rejected, page)
    from lmcli.cli import drifting

    return drifting.compared(session, entry, [*(drift or ()), *(more or ())])


def _artifact(session: Session, name: str) -> Shown:
    import json

    from lmcli.stages.graph import KINDS
    from lmcli.units import size

    entry = session.project.entry(name)
    directory = session.project.directory(entry)
    lines = [f"{entry.name} ({entry.stage}): {entry.path}, {size(entry.bytes)}, sha256 {entry.digest}"]
    lines += [f"  {line}" for line in KINDS.load(entry.stage).summary(entry, directory)]
    data = asdict(entry)
    if entry.stage == "clean":
        from lmcli.cli import audit
        from lmcli.corpus.rejected import read_report

        data["audit"] = read_report(directory)
        lines += [f"  {line}" for line in audit.account(data["audit"])]
    lines += [f"  from {key}: {record.of or 'files'} {record.digest[:8]}" for key, record in entry.inputs.items()]
    lines += [f"  by flag: {key} = {json.dumps(item.value)}" for key, item in entry.overrides.items()]
    if session.verbose:
        lines.append(f"  settings: {json.dumps(entry.requested, ensure_ascii=False, sort_keys=True)}")
        lines.append(f"  plan: {json.dumps(entry.plan, ensure_ascii=False, sort_keys=True)}")
        lines.append(f"  made with: {', '.join(f'{key} {value}' for key, value in entry.versions.items())}")
    return Shown(data, lines)
