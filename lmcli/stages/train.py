"""train: a model pretrained on the tokens, as a Hugging Face directory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lmcli.config import dump
from lmcli.models.config import ModelConfig
from lmcli.project.document import Document
from lmcli.project.lock import Entry
from lmcli.project.stage import Artifact, Made, Stage, Work
from lmcli.stages.kind import Kind, Request
from lmcli.training.config import TrainConfig

if TYPE_CHECKING:
    from lmcli.training.outcome import Outcome

REVISION = 1


def assemble(request: Request) -> Stage:
    model: ModelConfig = request.section("model")
    train: TrainConfig = request.section("train")

    requested = {"model": dump(model), "train": dump(train)}

    def trained(work: Work) -> Outcome:
        from lmcli.stages.publishing import run_directory
        from lmcli.training.joining import world_of
        from lmcli.training.pretrain import pretrain

        tokens, run, world = work.inputs["tokens"], run_directory(work), world_of(train.strategy)
        return pretrain(tokens, model, train, run, work.key, work.progress, work.started, world=world)

    def build(work: Work) -> Made:
        from lmcli.stages import crew
        from lmcli.stages.publishing import open_run, publish

        open_run(work)
        crew.call(work, requested)
        return publish(trained(work), work, work.inputs["tokenizer"], requested, "Pretrained from scratch.")

    return Stage(
        name=request.name,
        kind="train",
        revision=REVISION,
        requested=requested,
        inputs={"tokens": Artifact("tokens"), "tokenizer": Artifact("tokenizer")},
        build=build,
        overrides=request.own.overrides,
        seed=train.seed,
        assist=trained,
        command="lmcli train" if request.name == "model" else f"lmcli train --name {request.name}",
    )


def wanted(document: Document) -> Sequence[str]:
    return ["model"]


def summary(entry: Entry, directory: Path) -> Sequence[str]:
    from lmcli.stages.publishing import plan_lines

    return plan_lines(entry.report, entry.plan)


TRAIN = Kind("train", lambda name: {"model": ModelConfig, "train": TrainConfig}, wanted, assemble, summary)
