"""lmcli show."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown


@command()
def show(session: Session, name: Annotated[str, typer.Argument(help="An artifact: model, tokens, ...")]) -> Shown:
    """Print an artifact's figures and what it was made from; with -v also its settings, its plan and the versions.

    \b
    lmcli show model -v
    lmcli show eval --json | jq .report.figures.bpb
    """
    import json

    from lmcli.stages.graph import KINDS
    from lmcli.units import size

    entry = session.project.entry(name)
    directory = session.project.directory(entry)
    lines = [f"{entry.name} ({entry.stage}): {entry.path}, {size(entry.bytes)}, sha256 {entry.digest}"]
    lines += [f"  {line}" for line in KINDS.load(entry.stage).summary(entry, directory)]
    lines += [f"  from {key}: {record.of or 'files'} {record.digest[:8]}" for key, record in entry.inputs.items()]
    lines += [f"  by flag: {key} = {json.dumps(item.value)}" for key, item in entry.overrides.items()]
    if session.verbose:
        lines.append(f"  settings: {json.dumps(entry.requested, ensure_ascii=False, sort_keys=True)}")
        lines.append(f"  plan: {json.dumps(entry.plan, ensure_ascii=False, sort_keys=True)}")
        lines.append(f"  made with: {', '.join(f'{key} {value}' for key, value in entry.versions.items())}")
    return Shown(asdict(entry), lines)
