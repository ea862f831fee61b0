"""tokens: the text, split into a training and a validation side, as memory-mapped token ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from lmcli.config import dump
from lmcli.project.config import ProjectConfig
from lmcli.project.document import Document
from lmcli.project.lock import Entry
from lmcli.project.stage import Artifact, Made, Stage, Work
from lmcli.stages import text
from lmcli.stages.kind import Kind, Request
from lmcli.tokens.config import TokensConfig
from lmcli.units import size

REVISION = 1


def assemble(request: Request) -> Stage:
    config: TokensConfig = request.section("tokens")
    note = text.remark(request)

    def build(work: Work) -> Made:
        from lmcli.stages.splitting import split
        from lmcli.tokens.encoding import encode
        from lmcli.tokens.tokenizer import Tokenizer

        if note:
            work.progress.say(note)
        divided = split(request, work)
        work.progress.say(divided.describe())
        tokenizer = Tokenizer.load(work.inputs["tokenizer"])
        report = encode(
            divided.pieces(), tokenizer, work.out, workers=work.workers, progress=work.progress, size=divided.bytes
        )
        return Made({**asdict(report), "text_bytes": divided.bytes, "split": divided.describe()})

    return Stage(
        name=request.name,
        kind="tokens",
        revision=REVISION,
        requested={"tokens": dump(config)},
        inputs={**text.text_input(request), "tokenizer": Artifact("tokenizer")},
        build=build,
        overrides=request.own.overrides,
        command="lmcli tokenize",
    )


def wanted(document: Document) -> Sequence[str]:
    return ["tokens"]


def summary(entry: Entry, directory: Path) -> list[str]:
    return [f"{entry.report['split']}", *_sides(entry)]


def _sides(entry: Entry) -> list[str]:
    sides = {name: entry.report["sides"][name] for name in ("train", "validation")}
    return [
        f"{name}: {side['tokens']:,} tokens, {size(side['text_bytes'])}, {side['documents']:,} documents"
        for name, side in sides.items()
    ]


TOKENS = Kind("tokens", lambda name: {"project": ProjectConfig, "tokens": TokensConfig}, wanted, assemble, summary)
