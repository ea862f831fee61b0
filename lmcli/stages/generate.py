"""generate: samples kept as an artifact, with their prompts, settings and model."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from lmcli.config import dump
from lmcli.generation.config import GenerateConfig
from lmcli.project import durable
from lmcli.project.config import ProjectConfig
from lmcli.project.lock import Entry
from lmcli.project.stage import Files, Input, Made, Stage, Work
from lmcli.stages import models
from lmcli.stages.kind import Kind, Request, named_tables

REVISION = 1
SEEDS = 2**31
SHOWN = 3  # samples in a summary


def assemble(request: Request) -> Stage:
    config: GenerateConfig = request.section(f"generate.{request.name}")
    model = models.reference(request, config.model)
    inputs: dict[str, Input] = {"model": model.input}
    if config.prompts_file:
        path = request.project.root / config.prompts_file
        inputs["prompts"] = Files(lambda: [(config.prompts_file, path)])

    def build(work: Work) -> Made:
        from lmcli.generation.prompts import read_prompts
        from lmcli.generation.writing import write
        from lmcli.models.device import resolve_compute, use_threads
        from lmcli.models.directory import load_writer
        from lmcli.tokens.tokenizer import Tokenizer

        directory = model.directory(work, "model")
        prompts = read_prompts(work.root, config)
        seed = draw_seed(config)
        compute = resolve_compute(config)
        use_threads(compute)
        tokenizer = Tokenizer.load(directory)
        samples = write(load_writer(directory, compute.device), tokenizer, prompts, config, seed)
        with durable.create(work.out / "samples.jsonl") as file:
            for sample in samples:
                file.write((json.dumps(asdict(sample), ensure_ascii=False) + "\n").encode())
        report = {"samples": len(samples), "tokens": sum(sample.tokens for sample in samples)}
        return Made({**report, "model": model.label(work, "model")}, {"seed": seed})

    return Stage(
        name=request.name,
        kind="generate",
        revision=REVISION,
        requested={"generate": dump(config)},
        inputs=inputs,
        build=build,
        overrides=request.own.overrides,
        accepts_stale=True,
        command=f"lmcli generate --save {request.name}",
    )


def draw_seed(config: GenerateConfig) -> int:
    """The seed that the settings name, or a random one."""
    return secrets.randbelow(SEEDS) if config.seed == "random" else config.seed


def summary(entry: Entry, directory: Path) -> Sequence[str]:
    from lmcli.generation.writing import joined

    report = entry.report
    line = f"{report['samples']} samples, {report['tokens']:,} tokens by {report['model']}, seed {entry.plan['seed']}"
    with (directory / "samples.jsonl").open(encoding="utf-8") as file:
        samples = [json.loads(row) for row in islice(file, SHOWN)]
    texts = [joined(sample["prompt"], sample["text"], sample.get("goes_on", True)).splitlines() for sample in samples]
    return [line, *(f"| {row}".rstrip() for text in texts for row in (*text, ""))][:-1]


GENERATE = Kind(
    "generate",
    lambda name: {"project": ProjectConfig, f"generate.{name}": GenerateConfig},
    named_tables("generate"),
    assemble,
    summary,
)
