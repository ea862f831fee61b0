"""finetune: a model trained further on prompt and completion rows, as a new model directory that knows its base."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmcli.config import dump
from lmcli.project.config import ProjectConfig
from lmcli.project.freshness import key_of
from lmcli.project.lock import Entry
from lmcli.project.stage import Input, Made, Stage, Work
from lmcli.stages import models, text
from lmcli.stages.kind import Kind, Request, named_tables
from lmcli.stages.train import stage_of, summary
from lmcli.training.config import FinetuneConfig

if TYPE_CHECKING:
    from lmcli.training.outcome import Outcome

REVISION = 1


def assemble(request: Request) -> Stage:
    config: FinetuneConfig = request.section(f"finetune.{request.name}")
    base = models.reference(request, config.base)
    root = request.project.root
    inputs: dict[str, Input] = {"base": base.input, "data": text.files(config.data, root, config.format)}

    requested = {"finetune": dump(config)}
    made = request.project.manifest().entries.get(request.name)

    def tuned(work: Work) -> tuple[Outcome, dict[str, Any]]:
        same_run = made is not None and key_of(stage_of(stage, made), made.inputs) == work.key
        before = made if same_run and not work.force else None
        return _tuned(work, config, base.directory(work, "base"), requested, before)

    def build(work: Work) -> Made:
        from lmcli.stages import crew
        from lmcli.stages.publishing import opened_run, publish

        about = f"Fine-tuned from {base.label(work, 'base')}."
        with opened_run(work):
            crew.call(work, requested)
            outcome, about_rows = tuned(work)
            return publish(outcome, work, base.directory(work, "base"), requested, about, about_rows)

    stage = Stage(
        name=request.name,
        kind="finetune",
        revision=REVISION,
        requested=requested,
        inputs=inputs,
        build=build,
        overrides=request.own.overrides,
        seed=config.seed,
        assist=tuned,
        command=f"lmcli finetune {' '.join(config.data)} --name {request.name}",
    )
    return stage


def _tuned(
    work: Work, config: FinetuneConfig, base: Path, requested: Mapping[str, Any], made: Entry | None
) -> tuple[Outcome, dict[str, Any]]:
    """What fine-tuning gives, in each of the processes that work on it, and what the report says about the rows.

    `made` is what this run has made before.
    """
    from lmcli.corpus.rows import read_rows
    from lmcli.corpus.tally import Tally, telling
    from lmcli.models.directory import load_writer
    from lmcli.stages import samples
    from lmcli.stages.publishing import made_from, run_directory
    from lmcli.tokens.tokenizer import Tokenizer
    from lmcli.training.finetune import finetune
    from lmcli.training.joining import world_of
    from lmcli.training.origin import Origin
    from lmcli.training.recorded import Course

    model, tokenizer = load_writer(base, dropout=config.dropout), Tokenizer.load(base)
    tally, progress = Tally(), work.progress
    rows = read_rows(text.resolve(config.data, work.root, config.format), config, progress, tally)
    run, course = run_directory(work), Course.from_json(made.plan) if made else None
    origin = Origin(made_from=made_from(work, requested), course=course)
    world = world_of(config.strategy)
    watch = samples.probes(config, run, base, progress, world)
    told = telling(rows, tally, progress)
    found = finetune(model, tokenizer, told, config, run, work.key, progress, work.started, watch, origin, world)
    dropped = {**tally.dropped, "empty_completion": found.train.empty}
    dropped = {reason: count for reason, count in dropped.items() if count}
    return found.outcome, {"epochs": found.epochs, **({"dropped": dropped} if dropped else {})}


FINETUNE = Kind(
    "finetune",
    lambda name: {"project": ProjectConfig, f"finetune.{name}": FinetuneConfig},
    named_tables("finetune"),
    assemble,
    summary,
)
