"""Exports for the command line: made as an artifact, then copied to where they are wanted."""

from __future__ import annotations

from pathlib import Path

from lmcli.cli.evaluating import stem
from lmcli.cli.making import as_data, describe, make, planned
from lmcli.cli.session import Session, Shown
from lmcli.errors import UsageError, did_you_mean
from lmcli.interchange.config import ExportConfig
from lmcli.interchange.formats import FORMATS, check_settings

_ARCHIVES = {".tar.gz": "tar.gz", ".tgz": "tar.gz", ".zip": "zip"}


def exported(session: Session, format: str, out: Path | None, name: str | None) -> Shown:
    """Make the export, unless it is fresh, and show it; `out` gets a copy."""
    if format not in FORMATS:
        hint = did_you_mean(format, FORMATS) or f"known: {', '.join(FORMATS)}"
        raise UsageError(f"no export format named {format!r}", hint)
    model = str(session.flags.get("export.model", ""))
    archive = _archive(session, format, out)
    given = session.given(
        export__format=format, export__model=session.place(model) if model else None, export__archive=archive
    )
    _check_flags({**session.flags, "export.format": format, "export.archive": archive or "none"})
    targets = {name or default_name(session, model, format): "export"}
    if session.dry_run:
        return planned(session, targets, given)
    outcome = make(session, targets, given)[0]
    lines, data = describe(session.project, outcome), as_data(outcome.entry, outcome.made)
    if out is None:
        return Shown(data, lines)
    place = _placed(session, outcome.entry.path, outcome.entry.requested["export"], out)
    return Shown({**data, "out": str(place)}, [*lines, f"copied to {place}"])


def _check_flags(flags: dict[str, object]) -> None:
    """Settings of the command line that the format can't have are found before anything is looked at."""
    values = {key.removeprefix("export."): value for key, value in flags.items() if key.startswith("export.")}
    check_settings(ExportConfig(**values))  # type: ignore[arg-type]


def default_name(session: Session, model: str, format: str) -> str:
    """model-gguf, chat-onnx: of the model and the format."""
    return f"{stem(model) if model else _default_model(session)}-{format}"


def _default_model(session: Session) -> str:
    from lmcli.project import settings
    from lmcli.project.config import ProjectConfig

    resolved = settings.resolve({"project": ProjectConfig}, session.project.document)
    return str(resolved.sections["project"].default_model)


def _archive(session: Session, format: str, out: Path | None) -> str | None:
    """What the flag says, or the name of the file that is wanted."""
    stated = session.flags.get("export.archive")
    if stated or format != "dir" or out is None:
        return str(stated) if stated else None
    return next((kind for end, kind in _ARCHIVES.items() if out.name.endswith(end)), None)


def _placed(session: Session, artifact: str, requested: dict[str, object], out: Path) -> Path:
    from lmcli import config
    from lmcli.interchange.formats import Format
    from lmcli.interchange.placing import place

    made: ExportConfig = config.decode(ExportConfig, requested, "export")
    form: Format = FORMATS.load(made.format)
    made_at, main_file = session.root / artifact, form.main_file(made)
    in_parts = (made_at / f"{main_file}.data").exists()  # weights beside a graph that is too large for one file
    return place(made_at, "" if in_parts else main_file, session.folder / out, replace=session.force)
