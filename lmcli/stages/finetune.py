"""finetune: a model trained further on prompt and completion rows, as a new model directory that knows its base."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmcli.config import dump
from lmcli.project.config import ProjectConfig
from lmcli.project.stage import Input, Made, Stage, Work
from lmcli.stages import models, text
from lmcli.stages.kind import Kind, Request, named_tables
from lmcli.stages.train import summary
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

    def tuned(work: Work) -> Outcome:
        return _tuned(work, config, base.directory(work, "base"), requested)

    def build(work: Work) -> Made:
        from lmcli.stages import crew
        from lmcli.stages.publishing import opened_run, publish

        about = f"Fine-tuned from {base.label(work, 'base')}."
        with opened_run(work):
            crew.call(work, requested)
            return publish(tuned(work), work, base.directory(work, "base"), requested, about)

    return Stage(
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


def _tuned(work: Work, config: FinetuneConfig, base: Path, requested: Mapping[str, Any]) -> Outcome:
    """What fine-tuning gives, in each of the processes that work on it."""
    from lmcli.corpus.rows import read_rows
    from lmcli.corpus.tally import Tally
    from lmcli.models.directory import load_writer
    from lmcli.stages import samples
    from lmcli.stages.publishing import made_from, run_directory
    from lmcli.tokens.tokenizer import Tokenizer
    from lmcli.training.finetune import finetune
    from lmcli.training.joining import world_of
    from lmcli.training.origin import Origin

    model, tokenizer = load_writer(base, dropout=config.dropout), Tokenizer.load(base)
    rows = read_rows(text.resolve(config.data, work.root, config.format), config, work.progress, Tally())
    run, origin = run_directory(work), Origin(made_from=made_from(work, requested))
    world, progress = world_of(config.strategy), work.progress
    watch = samples.probes(config, run, base, progress, world)
    found = finetune(model, tokenizer, rows, config, run, work.key, progress, work.started, watch, origin, world)
    return found.outcome


FINETUNE = Kind(
    "finetune",
    lambda name: {"project": ProjectConfig, f"finetune.{name}": FinetuneConfig},
    named_tables("finetune"),
    assemble,
    summary,
)
