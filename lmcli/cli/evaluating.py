"""Evaluations for the command line: of a model as an artifact, of two files without one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from lmcli.cli.making import as_data, describe, make, planned
from lmcli.cli.session import Session, Shown
from lmcli.evaluation.config import EvalConfig
from lmcli.project import settings
from lmcli.project.document import Document


def evaluate_model(session: Session, data: str | None, name: str | None) -> Shown:
    """Make the evaluation, show its figures, then check the gates."""
    from lmcli.stages.gates import check

    model = str(session.flags.get("eval.model", ""))
    data = session.inputs([data])[0] if data else None
    given = session.given(eval__data=data, eval__model=session.place(model) if model else None)
    chosen = name or default_name(data, model)
    targets = {chosen: "eval"}
    if session.dry_run:
        return planned(session, targets, given)
    outcome = make(session, targets, given)[0]
    gates = session.flags.get("eval.gates") or _gates_of(session.project.document.get(f"eval.{chosen}"))
    lines = describe(session.project, outcome)
    try:
        lines += check(chosen, gates, outcome.entry.report["figures"])
    except Exception:
        if not session.json:
            session.console.show({}, lines, as_json=False)
        raise
    return Shown(as_data(outcome.entry, outcome.made), lines)


def _gates_of(table: object) -> list[str]:
    return list(table.get("gates", ())) if isinstance(table, Mapping) else []


def default_name(data: str | None, model: str) -> str:
    """eval, eval-chat, eval-pairs, eval-chat-pairs: of what is not the default."""
    parts = ["eval", Path(model).name if model else "", stem(data) if data else ""]
    return "-".join(part for part in parts if part)


def stem(data: str) -> str:
    """A name for an artifact made from data at this path."""
    name = Path(data.rstrip("/")).name.split(".")[0] or data
    return re.sub(r"[^A-Za-z0-9_-]+", "-", name.removesuffix(":")).strip("-") or "data"


def evaluate_files(session: Session, pred: Path, ref: Path) -> Shown:
    """Line by line, with every metric or those that were named; needs neither project nor model."""
    from lmcli.evaluation.files import compare_files
    from lmcli.stages.gates import check

    config: EvalConfig = settings.resolve(
        {"eval": EvalConfig}, Document(Path("lmcli.toml")), session.given().only({"eval": EvalConfig})
    ).sections["eval"]
    found = compare_files(session.folder / pred, session.folder / ref, config)
    lines = [f"{score.name:12} {score.value:9.4f}  {score.signature}" for score in found.scores]
    holding = check(f"{pred} against {ref}", config.gates, found.figures)
    data = {"figures": found.figures, "counts": found.counts, "scores": [asdict(score) for score in found.scores]}
    return Shown(data, [*lines, *holding])
