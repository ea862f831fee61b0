"""A finished run as a model directory, and its figures for the lock."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lmcli.corpus.tally import left_out
from lmcli.errors import MachineError, Stopped
from lmcli.models.directory import save_model
from lmcli.models.model import Model
from lmcli.project import durable
from lmcli.project.lock import Entry
from lmcli.project.project import Project
from lmcli.project.runner import versions
from lmcli.project.stage import Made, Work
from lmcli.stages.model_card import card
from lmcli.training.metrics import terms
from lmcli.training.outcome import Outcome


def publish(
    outcome: Outcome,
    work: Work,
    tokenizer: Path,
    requested: Mapping[str, Any],
    about: str,
    more: Mapping[str, Any] | None = None,
) -> Made:
    """Write the model with its best weights; the report holds the log's rows of the best and of the last step.

    What `more` has is in the report, too, and takes the place of what is there under the same name.
    """
    report: dict[str, Any] = {
        "about": about,
        "parameters": outcome.plan.parameters,
        "steps": outcome.steps,
        "tokens": outcome.tokens,
        "epochs": outcome.plan.epochs * outcome.steps / max(1, outcome.plan.pace.steps),
        "ending": outcome.ending,
        "elapsed": outcome.elapsed,
        "best": _row(work, outcome.best_step, outcome.best),
        "last": _row(work, outcome.steps, outcome.last),
    }
    if outcome.skipped:
        report["skipped"] = outcome.skipped
    if outcome.vectors:
        report["vectors"] = dict(outcome.vectors)
    if outcome.extension:
        report["extended"] = {key: getattr(outcome.extension, key) for key in ("asked", "step", "steps", "of")}
    report |= more or {}
    made = Made(report, outcome.course.to_json())
    save_model(outcome.model, tokenizer, work.out, card=card_of(work, requested, made, outcome.model))
    return made


def card_of(work: Work, requested: Mapping[str, Any], made: Made, model: Model, stage: str = "") -> str:
    """The card of a model that is just being made, which has no entry in the manifest yet."""
    entry = Entry(
        name=work.name,
        kind=stage,
        path="",
        digest="",
        bytes=0,
        stage=stage,
        revision=0,
        requested=dict(requested),
        inputs=dict(work.records),
        versions=versions(),
        plan=dict(made.plan),
        report=dict(made.report),
    )
    return card(entry, Project(work.root).manifest(), work.root, architecture_of(model))


def architecture_of(model: Model) -> str:
    """The class of transformers that computes the same; "" where there is none."""
    named = model.hf_config(end_id=0, pad_id=0, dtype="float32").get("architectures") or [""]
    return str(named[0])


def family_of(model: Model) -> str:
    """The family's name."""
    return str(model.hf_config(end_id=0, pad_id=0, dtype="float32")["model_type"])


CUT_SHORT = "cut-short"
"""A file in the directory of a run that was begun with `force` and then stopped."""


@contextmanager
def opened_run(work: Work) -> Iterator[None]:
    """Around the training of this artifact; with `force` its run begins anew, and what is there is moved aside.

    What `force` has begun and a stop has cut short goes on, once: the same command is to bring it to its end. So does
    what a launcher starts once more after a process died.
    """
    from lmcli.training.joining import was_restarted
    from lmcli.training.run import move_aside
    from lmcli.training.world import lost_peers

    directory = run_directory(work)
    mark = directory / CUT_SHORT
    if work.force and not was_restarted() and directory.exists() and not mark.exists():
        move_aside(directory)
    durable.unlink(mark)
    try:
        with lost_peers():
            yield
    except (Stopped, MachineError):
        if work.force and directory.is_dir():
            with suppress(OSError):  # a full disk may be what stopped it
                durable.write(mark, "")
        raise


def made_from(work: Work, requested: Mapping[str, Any]) -> dict[str, Any]:
    """What the key of a run stands for, so that a run with another key can be told apart in words."""
    return {"requested": requested, "inputs": {name: record.digest for name, record in work.records.items()}}


def run_directory(work: Work) -> Path:
    """Where the run of this artifact lives."""
    return work.root / "runs" / work.name


def _row(work: Work, step: int, figures: Any) -> dict[str, Any]:
    """The row of metrics.jsonl for a step, with the validation figures that belong to it."""
    found: dict[str, Any] = {"step": step}
    try:
        with (run_directory(work) / "metrics.jsonl").open(encoding="utf-8") as file:
            found = next((row for row in map(json.loads, file) if row["step"] == step), found)
    except OSError:
        pass  # the log is no part of the result: a run goes on without it when it can't be written
    if figures is not None:
        found |= figures.row()
    return found


def plan_lines(report: Mapping[str, Any], plan: Mapping[str, Any]) -> list[str]:
    """A model's shape, course and figures for people."""
    model = plan["model"]
    heads = "" if model["heads"] == "auto" else f", {model['heads']} heads"
    shape = f"{model['depth']} blocks of width {model['width']}{heads}, context {model['context']}"
    lines = [
        f"{model['family']}, {report['parameters']:,} parameters: {shape}",
        f"{report['steps']:,} steps, {report['tokens']:,} tokens, {report['epochs']:.1f} passes over the data; "
        f"ended by {report['ending']} after {report['elapsed']:.0f} s",
    ]
    if extended := report.get("extended"):
        of = f" of {extended['of'][:8]}" if extended["of"] else ""
        lines.append(f"extended ({extended['asked']}) from step {extended['step']:,}{of}, before its cooldown")
    if skipped := report.get("skipped"):
        lines.append(f"{skipped:,} steps were left out: their loss or gradient was not finite")
    if dropped := report.get("dropped"):
        lines.append(left_out(dropped))
    if vectors := report.get("vectors"):
        lines.append(f"{vectors['found']:,} tokens began with a word vector, {vectors['missing']:,} had none")
    best = report["best"]
    if "val_loss" in best:
        lines.append(
            f"best at step {best['step']:,}: validation {best['val_loss']:.4f} nats per target"
            + terms(best, "val_loss_")
            + (f", {best['val_bpb']:.4f} bits per byte" if "val_bpb" in best else "")
        )
    return lines
