"""tokens: the text, split into a training and a validation side, as memory-mapped token ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lmcli.config import dump
from lmcli.project.config import ProjectConfig
from lmcli.project.document import Document
from lmcli.project.lock import Entry
from lmcli.project.stage import Artifact, Made, Stage, Work
from lmcli.stages import mixing, text
from lmcli.stages.kind import Kind, Request
from lmcli.tokens.config import TokensConfig
from lmcli.units import size

REVISION = 1


REMOVAL = "lmcli clean --duplicates near --duplicate-lines 40"
LEAKAGE = 0.01  # of the validation text, from which on people are warned


def assemble(request: Request) -> Stage:
    config: TokensConfig = request.section("tokens")
    note = text.remark(request)
    mixture = mixing.mixture_of(request)

    def build(work: Work) -> Made:
        if note:
            work.progress.say(note)
        return _build(request, work, config, mixture)

    return Stage(
        name=request.name,
        kind="tokens",
        revision=REVISION,
        requested={"tokens": _requested(config), **mixture},
        inputs={**text.text_input(request), "tokenizer": Artifact("tokenizer")},
        build=build,
        overrides=request.own.overrides,
        command="lmcli tokenize",
    )


def _requested(config: TokensConfig) -> dict[str, Any]:
    """Without a setting that came later while it says nothing, so that tokens of before stay fresh."""
    return {key: value for key, value in dump(config).items() if key != "sentences" or value}


def _build(request: Request, work: Work, config: TokensConfig, mixture: Mapping[str, Any]) -> Made:
    from lmcli.corpus.mixture import Mixture
    from lmcli.stages.splitting import split
    from lmcli.tokens.encoding import encode
    from lmcli.tokens.tokenizer import Tokenizer

    divided = split(request, work)
    work.progress.say(divided.describe())
    tokenizer = Tokenizer.load(work.inputs["tokenizer"])
    mixed = mixing.mix(divided, Mixture(**mixture["mixture"]), tokenizer) if mixture else None
    report = encode(
        (mixed or divided).pieces(),
        tokenizer,
        work.out,
        workers=work.workers,
        progress=work.progress,
        size=divided.bytes,
        sentences=config.sentences,
        leakage=divided.leakage(),
    )
    if (report.leakage or 0) > LEAKAGE:
        work.progress.warn(f"{_leakage(report.leakage)}: `{REMOVAL}` removes it")
    for line in mixed.describe() if mixed else ():
        work.progress.say(line)
    made = {**asdict(report), "text_bytes": divided.bytes, "split": divided.describe()}
    return Made({**made, "mixture": mixed.report()} if mixed else made)


def _leakage(share: float | None) -> str:
    return f"{share:.1%} of the validation text lies in parts of which half or more stands in the training text too"


def wanted(document: Document) -> Sequence[str]:
    return ["tokens"]


def summary(entry: Entry, directory: Path) -> list[str]:
    share = entry.report.get("leakage")
    return [f"{entry.report['split']}", *([] if share is None else [_leakage(share)]), *_sides(entry), *_mixture(entry)]


def _sides(entry: Entry) -> list[str]:
    sides = {name: entry.report["sides"][name] for name in ("train", "validation")}
    return [
        f"{name}: {side['tokens']:,} tokens, {size(side['text_bytes'])}, {side['documents']:,} documents"
        + (f", {side['sentences']:,} sentences" if side.get("sentences") is not None else "")
        for name, side in sides.items()
    ]


def _mixture(entry: Entry) -> list[str]:
    mixture = entry.report.get("mixture") or {"by": "", "shares": {}}
    return [
        f"{mixture['by']} {name}: {share['reached']:.1%} of the training tokens (wanted {share['wanted']:.1%}), "
        f"{share['documents']:,} documents written {share['repeats']:.2f} times"
        for name, share in mixture["shares"].items()
    ]


TOKENS = Kind("tokens", lambda name: {"project": ProjectConfig, "tokens": TokensConfig}, wanted, assemble, summary)
