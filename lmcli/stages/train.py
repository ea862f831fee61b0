"""train: a model pretrained on the tokens, as a Hugging Face directory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lmcli.config import dump
from lmcli.models.config import ModelConfig
from lmcli.project.document import Document
from lmcli.project.lock import Entry
from lmcli.project.stage import Artifact, Made, Stage, Work
from lmcli.stages.kind import Kind, Request
from lmcli.training.config import TrainConfig

REVISION = 1


def assemble(request: Request) -> Stage:
    model: ModelConfig = request.section("model")
    train: TrainConfig = request.section("train")

    requested = {"model": dump(model), "train": dump(train)}

    def build(work: Work) -> Made:
        from lmcli.stages.publishing import open_run, publish
        from lmcli.training.pretrain import pretrain

        directory = open_run(work)
        outcome = pretrain(work.inputs["tokens"], model, train, directory, work.key, work.progress, work.started)
        return publish(outcome, work, work.inputs["tokenizer"], requested, "Pretrained from scratch.")

    return Stage(
        name=request.name,
        kind="train",
        revision=REVISION,
        requested=requested,
        inputs={"tokens": Artifact("tokens"), "tokenizer": Artifact("tokenizer")},
        build=build,
        overrides=request.own.overrides,
        seed=train.seed,
        command="lmcli train" if request.name == "model" else f"lmcli train --name {request.name}",
    )


def wanted(document: Document) -> Sequence[str]:
    return ["model"]


def summary(entry: Entry, directory: Path) -> Sequence[str]:
    from lmcli.stages.publishing import plan_lines

    return plan_lines(entry.report, entry.plan)


TRAIN = Kind("train", lambda name: {"model": ModelConfig, "train": TrainConfig}, wanted, assemble, summary)
