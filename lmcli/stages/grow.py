"""grow: a copy of a model that knows more tokens; the model, its tokenizer and the encoded corpus stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lmcli.config import dump
from lmcli.errors import InputError
from lmcli.project.config import ProjectConfig
from lmcli.project.lock import Entry
from lmcli.project.stage import Files, Made, Stage, Work
from lmcli.stages import models
from lmcli.stages.kind import Kind, Request, named_tables
from lmcli.tokens.config import GrowConfig

REVISION = 1


def assemble(request: Request) -> Stage:
    config: GrowConfig = request.section(f"grow.{request.name}")
    base = models.reference(request, config.model)
    path = request.project.root / config.add_tokens
    requested = {"grow": dump(config)}

    def build(work: Work) -> Made:
        from lmcli.models.directory import load_decoder, save_model
        from lmcli.models.growing import grow_model
        from lmcli.stages.publishing import card_of
        from lmcli.tokens import growing
        from lmcli.tokens.adopting import adopt
        from lmcli.tokens.config import TokenizerConfig
        from lmcli.tokens.tokenizer import Tokenizer

        directory = base.directory(work, "base")
        tokenizer = Tokenizer.load(directory)
        grown = growing.grow(tokenizer, growing.read_tokens(path))
        if not grown.spelled:
            raise InputError(f"every token in {config.add_tokens} is in the vocabulary already", "name others")
        if note := growing.remark(grown):
            work.progress.say(note)
        model = grow_model(load_decoder(directory), tokenizer.vocab_size, list(grown.spelled.values()))
        adopt(directory, base.name, TokenizerConfig(), work.out, work.progress, complete=False)
        growing.write_grown(grown, work.out)
        report = {
            "about": f"{base.label(work, 'base')} with {len(grown.spelled)} more tokens, each of which begins as the "
            "mean of the pieces that spelled it. Fine-tune it, so that it learns to use them.",
            "base": base.label(work, "base"),
            "parameters": sum(parameter.numel() for parameter in model.parameters()),
            "vocab_size": tokenizer.vocab_size + len(grown.spelled),
            "added": list(grown.spelled),
            "known": list(grown.known),
        }
        card = card_of(work, requested, Made(report), model)
        save_model(model, work.out, work.out, card=card)
        return Made(report)

    return Stage(
        name=request.name,
        kind="grow",
        revision=REVISION,
        requested=requested,
        inputs={"base": base.input, "tokens": token_file(config.add_tokens, path)},
        build=build,
        overrides=request.own.overrides,
        accepts_stale=True,
        command=f"lmcli tokenize --add-tokens {config.add_tokens}",
    )


def token_file(name: str, path: Path) -> Files:
    """A file of tokens as an input."""

    def find() -> list[tuple[str, Path | None]]:
        if not path.is_file():
            raise InputError(f"there is no file {path}", "a text file with one token a line is needed")
        return [(name, path)]

    return Files(find)


def summary(entry: Entry, directory: Path) -> Sequence[str]:
    report = entry.report
    lines = [f"{report['base']} with {len(report['added'])} more tokens: {report['vocab_size']:,} in all"]
    if report["known"]:
        shown = ", ".join(report["known"][:5]) + (" ..." if len(report["known"]) > 5 else "")
        lines.append(f"{len(report['known'])} were single tokens already: {shown}")
    return [*lines, f"next: lmcli finetune DATA --base {entry.name}"]


GROW = Kind(
    "grow",
    lambda name: {"project": ProjectConfig, f"grow.{name}": GrowConfig},
    named_tables("grow"),
    assemble,
    summary,
)
