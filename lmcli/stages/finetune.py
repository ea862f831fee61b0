"""finetune: a model trained further on prompt and completion rows, as a new model directory that knows its base."""

from __future__ import annotations

from lmcli.config import dump
from lmcli.project.config import ProjectConfig
from lmcli.project.stage import Input, Made, Stage, Work
from lmcli.stages import models, text
from lmcli.stages.kind import Kind, Request, named_tables
from lmcli.stages.train import summary
from lmcli.training.config import FinetuneConfig

REVISION = 1


def assemble(request: Request) -> Stage:
    config: FinetuneConfig = request.section(f"finetune.{request.name}")
    base = models.reference(request, config.base)
    root = request.project.root
    inputs: dict[str, Input] = {"base": base.input, "data": text.files(config.data, root)}

    def build(work: Work) -> Made:

        return Made()

    return Stage(
        name=request.name,
        kind="finetune",
        revision=REVISION,
        requested={"finetune": dump(config)},
        inputs=inputs,
        build=build,
        overrides=request.own.overrides,
        seed=config.seed,
        command=f"lmcli finetune {' '.join(config.data)} --name {request.name}",
    )


FINETUNE = Kind(
    "finetune",
    lambda name: {"project": ProjectConfig, f"finetune.{name}": FinetuneConfig},
    named_tables("finetune"),
    assemble,
    summary,
)
