"""lmcli status."""

from __future__ import annotations

import os

from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown


@command()
def status(session: Session) -> Shown:
    """List every artifact: fresh, stale, missing or damaged, and the reason.

    \b
    lmcli status
    lmcli status --json | jq '.artifacts[] | select(.state != "fresh").name'
    """
    from lmcli.project.runner import Runner
    from lmcli.project.settings import Given
    from lmcli.stages.graph import graph
    from lmcli.stages.growth import grown

    project = session.project
    nodes = graph(project, Given(environment=dict(os.environ)))
    manifest = project.manifest()
    verdicts = Runner(project, nodes).verdicts()
    project.digests.save()
    width = max(map(len, verdicts), default=0)
    lines, rows = [], []
    for name, verdict in verdicts.items():
        entry = manifest.entries.get(name)
        overrides = {key: item.value for key, item in nodes[name].overrides.items()}
        notes = [*verdict.reasons, *(grown(manifest) if name == "tokenizer" and verdict.fresh else [])]
        lines.append(f"{name:{width}}  {verdict.state:8} {'; '.join(notes) or (entry.path if entry else '')}".rstrip())
        if overrides:
            lines.append(f"{'':{width}}  by flag: {', '.join(f'{key} = {value}' for key, value in overrides.items())}")
        rows.append({"name": name, "kind": nodes[name].kind, "state": verdict.state, "reasons": notes,
                     "path": entry.path if entry else None, "overrides": overrides})  # fmt: skip
    return Shown({"artifacts": rows}, lines)
