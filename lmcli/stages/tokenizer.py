"""tokenizer: trained on the training side of the text; pinned, so that new text doesn't orphan models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lmcli.config import dump
from lmcli.project.config import ProjectConfig
from lmcli.project.document import Document
from lmcli.project.lock import Entry
from lmcli.project.stage import Artifact, Files, Input, Made, Stage, Work
from lmcli.stages import text
from lmcli.stages.grow import token_file
from lmcli.stages.kind import Kind, Request
from lmcli.tokens.config import TokenizerConfig, TokensConfig
from lmcli.units import size

REVISION = 1


# Settings that came later, and those that mean nothing to a tokenizer that is taken over: left out of what is compared
# while they say nothing, so that tokenizers of before stay fresh.
_LATER = (
    *(
        "pattern",
        "min_frequency",
        "lowercase",
        "special_tokens",
        "reserved",
        "sentinels",
        "chat_template",
        "source",
        "add_tokens",
    ),
)
_TRAINING = ("kind", "vocab_size", "sample_bytes", "pattern", "min_frequency", "lowercase")


def assemble(request: Request) -> Stage:
    config: TokenizerConfig = request.section("tokenizer")
    inputs: dict[str, Input] = _taken_over(config, request) if config.source else text.text_input(request)
    if config.add_tokens:
        inputs["added"] = token_file(config.add_tokens, request.project.root / config.add_tokens)

    def build(work: Work) -> Made:
        report = _take_over(config, work) if config.source else _train(request, config, work)
        return Made({**report, **_add(config, work)})

    return Stage(
        name=request.name,
        kind="tokenizer",
        revision=REVISION,
        requested={"tokenizer": _requested(config)},
        inputs=inputs,
        build=build,
        overrides=request.own.overrides,
        pinned=frozenset(("clean", "corpus")),
        command="lmcli tokenize",
    )


def _requested(config: TokenizerConfig) -> dict[str, Any]:
    plain = dump(TokenizerConfig())
    stated = {key: value for key, value in dump(config).items() if key not in _LATER or value != plain[key]}
    return {key: value for key, value in stated.items() if not (config.source and key in _TRAINING)}


def _taken_over(config: TokenizerConfig, request: Request) -> dict[str, Input]:
    """A model that was imported by its name, or the files at a path."""
    root = request.project.root
    if request.kinds.get(config.source) == "import":
        return {"from": Artifact(config.source)}

    def find() -> list[tuple[str, Path | None]]:
        from lmcli.tokens.adopting import files_of

        return [(path.name, path) for path in files_of(root / config.source)]

    return {"from": Files(find)}


def _take_over(config: TokenizerConfig, work: Work) -> dict[str, Any]:
    from lmcli.tokens.adopting import adopt

    source = work.inputs.get("from", work.root / config.source)
    return asdict(adopt(source, config.source, config, work.out, work.progress))


def _train(request: Request, config: TokenizerConfig, work: Work) -> dict[str, Any]:
    from lmcli.stages.splitting import split
    from lmcli.tokens.training import train_tokenizer

    divided = split(request, work)
    both_sides = config.kind == "char"  # an alphabet is no knowledge of the text, and it has to be complete
    texts, size = divided.texts(both_sides=both_sides), divided.training_bytes(both_sides=both_sides)
    report = train_tokenizer(texts, size, config, work.out, work.progress)
    return {**asdict(report), "corpus_bytes": divided.bytes}


def _add(config: TokenizerConfig, work: Work) -> dict[str, Any]:
    """Add the tokens of a file to the tokenizer that was just written."""
    if not config.add_tokens:
        return {}
    from lmcli.tokens import growing
    from lmcli.tokens.tokenizer import Tokenizer

    grown = growing.grow(Tokenizer.load(work.out), growing.read_tokens(work.root / config.add_tokens))
    growing.write_grown(grown, work.out)
    if note := growing.remark(grown):
        work.progress.say(note)
    if grown.known:
        work.progress.say(f"{len(grown.known)} tokens of {config.add_tokens} are in the vocabulary already")
    return {"vocab_size": Tokenizer.load(work.out).vocab_size, "grown": len(grown.spelled), "known": len(grown.known)}


def wanted(document: Document) -> Sequence[str]:
    return ["tokenizer"]


def summary(entry: Entry, directory: Path) -> list[str]:
    report = entry.report
    origin = f"from {report['source']}" if "source" in report else f"trained on {size(report['sampled_bytes'])}"
    more = f", {report['grown']:,} of them added by hand" if "grown" in report else ""
    return [f"{report['kind']}, {report['vocab_size']:,} tokens{more}, {origin}"]


TOKENIZER = Kind(
    "tokenizer",
    lambda name: {"project": ProjectConfig, "tokens": TokensConfig, "tokenizer": TokenizerConfig},
    wanted,
    assemble,
    summary,
)
