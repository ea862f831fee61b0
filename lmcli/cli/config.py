"""lmcli config."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown


@command()
def show_config(
    session: Session,
    action: Annotated[str, typer.Argument(help="Only `show` for now.")] = "show",
    origin: Annotated[bool, typer.Option("--origin", help="Say where each value comes from.")] = False,
) -> Shown:
    """Print every setting of the project with its value, as lmcli.toml would state it.

    \b
    lmcli config show --origin
    """
    from lmcli.errors import UsageError
    from lmcli.project.settings import Given
    from lmcli.stages.graph import settings_of

    if action != "show":
        raise UsageError(f"no action {action!r}", "write `lmcli config show`")
    rows = settings_of(session.project, Given(environment=dict(os.environ)))
    lines: list[str] = []
    table = ""
    for row in rows:
        if row["table"] != table:
            table = row["table"]
            lines += [""] * bool(lines) + [f"[{table}]"]
        lines.append(f"{row['key']} = {_toml(row['value'])}" + (f"  # {row['origin']}" if origin else ""))
    return Shown({"settings": rows}, lines)


def _toml(value: Any) -> str:
    import json

    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return json.dumps(value, ensure_ascii=False)
