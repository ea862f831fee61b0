"""train: a model pretrained on the tokens, as a Hugging Face directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lmcli.config import dump
from lmcli.errors import ConfigError, InputError
from lmcli.models.config import ModelConfig
from lmcli.models.presets import with_preset
from lmcli.project.document import Document
from lmcli.project.freshness import key_of
from lmcli.project.lock import Entry, InputRecord, Override
from lmcli.project.stage import Artifact, Files, Input, Made, Stage, Work
from lmcli.stages import models
from lmcli.stages.kind import Kind, Request
from lmcli.training.config import PretrainConfig

if TYPE_CHECKING:
    from lmcli.training.outcome import Outcome

REVISION = 1


def assemble(request: Request) -> Stage:
    model = model_of(request)
    train, overrides = settled(request)
    base = models.reference(request, train.continue_from) if train.continue_from else None
    made = request.project.manifest().entries.get(request.name)

    requested = {"model": dump(model), "train": dump(train)}
    inputs: dict[str, Input] = {"tokens": Artifact("tokens"), "tokenizer": Artifact("tokenizer")}
    if base:
        inputs["base"] = base.input

    if model.vectors:
        if base:
            message = "model.vectors means nothing to a model that is trained further: it brings its embedding along"
            raise ConfigError(message, "leave model.vectors or train.continue_from out")
        inputs["vectors"] = Files(partial(vector_file, request.project.root, model.vectors))

    def trained(work: Work) -> Outcome:
        """The key of `work` is that of the run."""
        same_run = made is not None and run_key(stage_of(stage, made), made.inputs) == work.key
        before = made if same_run else None
        return _trained(work, model, train, requested, before, base.directory(work, "base") if base else None)

    def build(work: Work) -> Made:
        from lmcli.stages import crew
        from lmcli.stages.publishing import opened_run, publish
        from lmcli.training.continuing import check_tokenizer

        tokenizer = work.inputs["tokenizer"]
        if base:
            check_tokenizer(base.directory(work, "base"), tokenizer)
        running = replace(work, key=run_key(stage, work.records))
        about = f"Trained further from {base.label(work, 'base')}." if base else "Pretrained from scratch."
        with opened_run(work):
            crew.call(running, requested)
            return publish(trained(running), work, tokenizer, requested, about)

    stage = Stage(
        name=request.name,
        kind="train",
        revision=REVISION,
        requested=requested,
        inputs=inputs,
        build=build,
        overrides=overrides,
        seed=train.seed,
        assist=trained,
        command="lmcli train" if request.name == "model" else f"lmcli train --name {request.name}",
    )
    return stage


def settled(request: Request) -> tuple[PretrainConfig, Mapping[str, Override]]:
    """The settings of [train] and what of them overrides lmcli.toml, without a base that is, or comes from, this model.

    lmcli.toml and the environment speak to every model that is trained, and so to that one, too, which they name. What
    was said to this model alone stands.
    """
    train: PretrainConfig = request.section("train")
    to_all = request.own.origins.get("train.continue_from", "$").startswith("$")
    circle = to_all and request.name in models.lineage(request, train.continue_from)
    if not circle:
        return train, request.own.overrides
    heeded = {key: item for key, item in request.own.overrides.items() if key != "train.continue_from"}
    return replace(train, continue_from=""), heeded


def model_of(request: Request) -> ModelConfig:
    """The settings of the model, with those of its preset."""
    return with_preset(request.section("model"), request.own.given["model"])


def _trained(
    work: Work,
    model: ModelConfig,
    train: PretrainConfig,
    requested: Mapping[str, Any],
    made: Entry | None,
    base: Path | None,
) -> Outcome:
    """What pretraining gives, in each of the processes that work on it; `made` is the model of this run so far."""
    from lmcli.stages import samples
    from lmcli.stages.publishing import made_from, run_directory
    from lmcli.training.joining import world_of
    from lmcli.training.origin import Origin
    from lmcli.training.pretrain import pretrain
    from lmcli.training.recorded import Course

    tokens, tokenizer = work.inputs["tokens"], work.inputs["tokenizer"]
    run, progress = run_directory(work), work.progress
    origin = Origin(
        made_from=made_from(work, without_extension(requested)),
        extend=train.extend,
        model=made.digest if made else None,
        course=Course.from_json(made.plan) if made and not work.force else None,
        base=base,
        tokenizer=tokenizer,
        vectors=work.root / model.vectors if model.vectors else None,
    )
    world = world_of(train.strategy)
    watch = samples.probes(train, run, tokenizer, progress, world)
    return pretrain(tokens, model, train, run, work.key, progress, work.started, watch, origin, world)


def vector_file(root: Path, name: str) -> list[tuple[str, Path | None]]:
    """The file that `model.vectors` names; InputError when there is none."""
    if not (root / name).is_file():
        raise InputError(f"no file {name}", "model.vectors names a file of word vectors, as word2vec or GloVe write it")
    return [(name, root / name)]


def run_key(stage: Stage, records: Mapping[str, InputRecord]) -> str:
    """The key of the run that makes the model: an extension goes on in the directory of the run that it extends."""
    return key_of(replace(stage, requested=without_extension(stage.requested)), records)


def stage_of(stage: Stage, entry: Entry) -> Stage:
    """`stage` as it was when `entry` was made."""
    return replace(stage, kind=entry.stage, revision=entry.revision, requested=entry.requested)


def without_extension(requested: Mapping[str, Any]) -> dict[str, Any]:
    """The settings that a run and its extensions have in common."""
    return {**requested, "train": {key: value for key, value in requested["train"].items() if key != "extend"}}


def wanted(document: Document) -> Sequence[str]:
    return ["model"]


def summary(entry: Entry, directory: Path) -> Sequence[str]:
    from lmcli.stages.publishing import plan_lines

    return plan_lines(entry.report, entry.plan)


TRAIN = Kind(
    "train",
    lambda name: {"model": ModelConfig, "train": PretrainConfig},
    wanted,
    assemble,
    summary,
)
