"""tokenizer: trained on the training side of the text; pinned, so that new text doesn't orphan models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from lmcli.config import dump
from lmcli.project.config import ProjectConfig
from lmcli.project.document import Document
from lmcli.project.lock import Entry
from lmcli.project.stage import Made, Stage, Work
from lmcli.stages import text
from lmcli.stages.kind import Kind, Request
from lmcli.tokens.config import TokenizerConfig, TokensConfig
from lmcli.units import size

REVISION = 1


def assemble(request: Request) -> Stage:
    config: TokenizerConfig = request.section("tokenizer")
    inputs = text.text_input(request)

    def build(work: Work) -> Made:
        from lmcli.stages.splitting import split
        from lmcli.tokens.training import train_tokenizer

        divided = split(request, work)
        both_sides = config.kind == "char"  # an alphabet is no knowledge of the text, and it has to be complete
        texts, size = divided.texts(both_sides=both_sides), divided.training_bytes(both_sides=both_sides)
        report = train_tokenizer(texts, size, config, work.out, work.progress)
        return Made({**asdict(report), "corpus_bytes": divided.bytes})

    return Stage(
        name=request.name,
        kind="tokenizer",
        revision=REVISION,
        requested={"tokenizer": dump(config)},
        inputs=inputs,
        build=build,
        overrides=request.own.overrides,
        pinned=frozenset(("clean", "corpus")),
        command="lmcli tokenize",
    )


def wanted(document: Document) -> Sequence[str]:
    return ["tokenizer"]


def summary(entry: Entry, directory: Path) -> list[str]:
    report = entry.report
    return [f"{report['kind']}, {report['vocab_size']:,} tokens, trained on {size(report['sampled_bytes'])}"]


TOKENIZER = Kind(
    "tokenizer",
    lambda name: {"project": ProjectConfig, "tokens": TokensConfig, "tokenizer": TokenizerConfig},
    wanted,
    assemble,
    summary,
)
