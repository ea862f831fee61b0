"""Samples straight to the terminal."""

from __future__ import annotations

import sys
from dataclasses import asdict, replace
from pathlib import Path

from lmcli.cli.session import Session, Shown
from lmcli.errors import ArtifactError, ConfigError
from lmcli.generation.config import GenerateConfig
from lmcli.generation.prompts import read_prompts
from lmcli.project import settings
from lmcli.project.config import ProjectConfig
from lmcli.project.document import Document
from lmcli.project.project import Project
from lmcli.project.settings import Given

BETWEEN = "\n----\n"


def settle(session: Session, prompt: str | None) -> Given:
    """The settings, with the prompt in them and paths as the project sees them."""
    if prompt == "-":
        prompt = sys.stdin.read()
    prompts = [prompt] if prompt else []
    more: dict[str, object] = {}
    for key in ("model", "prompts_file"):
        if value := session.flags.get(f"generate.{key}"):
            more[f"generate__{key}"] = session.place(value)
    given = session.given(**more, generate__prompts=tuple(prompts))
    if more.get("generate__prompts_file") != "-":
        return given
    # what came in through a pipe can't be read again, so the prompts themselves become the setting
    prompts += read_prompts(session.root, GenerateConfig(prompts_file="-"))
    flags = {key: value for key, value in given.flags.items() if key != "generate.prompts_file"}
    return replace(given, flags={**flags, "generate.prompts": tuple(prompts)})


def write_now(session: Session, given: Given) -> Shown | None:
    """Write and show; nothing is kept. Works outside of a project when --model is a path."""
    document, root, default = surroundings(session)
    tables = {"generate": GenerateConfig}
    config: GenerateConfig = settings.resolve(tables, Document(document.path), given).sections["generate"]
    name = config.model or default
    directory = model_directory(session, root, name)
    if is_encoder(directory):
        from lmcli.cli.filling import fill_now

        return fill_now(session, root, config, name, directory)

    from lmcli.generation.writing import write
    from lmcli.models.device import resolve_compute, use_threads
    from lmcli.models.directory import load_writer
    from lmcli.stages.generate import draw_seed
    from lmcli.tokens.tokenizer import Tokenizer

    prompts = read_prompts(root, config)
    seed = draw_seed(config)
    streams = len(prompts) * config.count == 1 and not session.json
    session.console.say(f"model {name} ({directory}), seed {seed}")
    compute = resolve_compute(config)
    use_threads(compute)
    model, tokenizer = load_writer(directory, compute.device), Tokenizer.load(directory)
    if streams and config.echo and model.kind == "decoder":
        session.console.write(prompts[0], flush=True)
    on_text = (lambda index, piece: session.console.write(piece, flush=True)) if streams else None
    samples = write(model, tokenizer, prompts, config, seed, on_text)
    if session.json:
        return Shown({"model": name, "path": str(directory), "seed": seed, "samples": [asdict(s) for s in samples]})
    if streams:
        session.console.write("\n")
    else:
        texts = [sample.with_prompt if config.echo else sample.text for sample in samples]
        session.console.write(BETWEEN.join(texts) + "\n")
    return None


def is_encoder(directory: Path) -> bool:
    from lmcli.models.directory import read_shape

    return read_shape(directory)[0].kind == "encoder"


def surroundings(session: Session) -> tuple[Document, Path, str]:
    """lmcli.toml, the folder that paths are relative to, and the default model; without a project, here and none."""
    try:
        project = session.project
    except ConfigError:
        return Document(Path("lmcli.toml")), session.folder.resolve(), ""
    resolved = settings.resolve({"project": ProjectConfig}, project.document)
    return project.document, project.root, resolved.sections["project"].default_model


def model_directory(session: Session, root: Path, name: str) -> Path:
    """The checked directory of a model, with a word about it when it is stale."""
    from lmcli.project.runner import Runner
    from lmcli.stages.graph import graph
    from lmcli.stages.models import find

    try:
        project = session.project
    except ConfigError:
        if not name:
            raise
        return find(Project(root), name, {})
    nodes = graph(project, Given(environment=session.given().environment))
    if name in nodes:
        verdict = Runner(project, nodes).verdicts()[name]
        if verdict.state == "stale":
            session.console.warn(f"{verdict} (`lmcli run {name}` makes it anew)")
        if verdict.state == "missing" and verdict.reasons == ("never made",):
            raise ArtifactError(f"{name} was never made", f"run `{nodes[name].command}` first")
    return find(project, name, {key: stage.kind for key, stage in nodes.items()})
