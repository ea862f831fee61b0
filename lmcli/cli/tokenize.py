"""lmcli tokenize."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from lmcli.cli.arguments import Inputs, Workers
from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown
from lmcli.errors import UsageError
from lmcli.tokens.config import TokenizerConfig, TokensConfig

TRAINING = ("kind", "vocab_size", "pattern", "min_frequency", "lowercase")
"""Flags that mean nothing to a tokenizer that is taken over."""


@command(writes=True, tokenizer=TokenizerConfig, tokens=TokensConfig)
def tokenize(
    session: Session,
    inputs: Inputs = None,
    retrain: Annotated[
        bool, typer.Option("--retrain", help="Train a new tokenizer; models of the old one end.")
    ] = False,
    model: Annotated[
        str | None, typer.Option("--model", help="With --add-tokens: the model to grow, an artifact or a path.")
    ] = None,
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare the tokenizers named instead of inputs; write nothing.")
    ] = False,
    workers: Workers = 0,
) -> Shown:
    """Train the tokenizer, unless there is one, and encode the corpus.

    The result of `clean` is read when it was made from the same input; without it no byte of the text is altered.

    \b
    lmcli tokenize corpus/
    lmcli tokenize --kind char --split tail
    lmcli tokenize --vocab-size 8192 --pattern code --retrain
    lmcli tokenize --special-token "<|im_start|>" --special-token "<|im_end|>" --reserved 16
    lmcli tokenize --from path/to/a/model           reuse its tokenizer
    lmcli tokenize --add-tokens terms.txt           grow the vocabulary, and a copy of the model with it
    lmcli tokenize --compare path/to/a/model grown  how well tokenizers fit the text
    """
    from lmcli.cli.making import made_or_planned

    if compare:
        from lmcli.cli.comparing import compared

        return compared(session, inputs or [], workers)
    _check(session)
    if grows(session, model):
        return _grow(session, model, inputs)
    given = session.given(
        project__inputs=session.inputs(inputs),
        **{f"tokenizer__{key}": _placed(session, f"tokenizer.{key}") for key in ("source", "add_tokens")},
    )
    targets = {"tokenizer": "tokenizer", "tokens": "tokens"}
    return made_or_planned(session, targets, given, workers=workers, force=["tokenizer"] if retrain else [])


def _check(session: Session) -> None:
    """Refuse flags that train a tokenizer where one is taken over."""
    flag = session.flags.get("tokenizer.source")
    source = flag or session.project.document.get("tokenizer.source")
    stated = [key for key in TRAINING if f"tokenizer.{key}" in session.flags]
    if source and stated:
        where = "--from" if flag else "tokenizer.source in lmcli.toml"
        raise UsageError(f"{_flag(stated[0])} and {where} exclude each other", "a tokenizer is taken over as it is")


def grows(session: Session, model: str | None) -> bool:
    """Whether --add-tokens means a copy of a model: there is one, or it is named."""
    if "tokenizer.add_tokens" not in session.flags:
        if model is not None:
            raise UsageError("--model goes with --add-tokens", "`lmcli tokenize --add-tokens FILE --model NAME`")
        return False
    from lmcli.project import settings
    from lmcli.project.config import ProjectConfig

    project = session.project
    default = settings.resolve({"project": ProjectConfig}, project.document).sections["project"].default_model
    return model is not None or default in project.manifest().entries


def _grow(session: Session, model: str | None, inputs: list[str] | None) -> Shown:
    from lmcli.cli.making import made_or_planned

    others = [key for key in session.flags if key != "tokenizer.add_tokens"]
    if others or inputs:
        what = _flag(others[0]) if others else "an input"
        raise UsageError(
            f"--add-tokens makes a copy of the model, so {what} has no meaning", "the tokenizer and tokens stay"
        )
    flags = {"grow.add_tokens": _placed(session, "tokenizer.add_tokens")}
    if model:
        flags["grow.model"] = session.place(model)
    given = replace(session.given(), flags=flags)
    return made_or_planned(session, {"grown": "grow"}, given)


def _placed(session: Session, key: str) -> str | None:
    value = session.flags.get(key)
    return session.place(str(value)) if value else None


def _flag(key: str) -> str:
    name = key.rpartition(".")[2]
    names = {"source": "from", "special_tokens": "special-token"}
    return f"--{names.get(name, name.replace('_', '-'))}"
