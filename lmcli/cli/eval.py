"""lmcli eval."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown
from lmcli.evaluation.config import EvalConfig


@command(writes=True, eval=EvalConfig)
def evaluate(
    session: Session,
    data: Annotated[str | None, typer.Argument(help="Text or rows; the validation text by default.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name of the result; made from model and data.")] = None,
    pred: Annotated[Path | None, typer.Option("--pred", help="Predictions, one on each line; needs no model.")] = None,
    ref: Annotated[Path | None, typer.Option("--ref", help="References, one on each line.")] = None,
    score: Annotated[
        str | None, typer.Option("--score", metavar="FILE", help="Texts to give the probability of; - is stdin.")
    ] = None,
) -> Shown | None:
    """Measure a model: perplexity and bits per byte of text, beside what gzip and xz reach on it; BLEU, ROUGE, chrF and
    exact matches of what it writes for rows with prompt and completion. Or compare two files of lines, or show how
    probable the model finds each line of one.

    \b
    lmcli eval                                  the default model on the validation text
    lmcli eval --assert "bpb<2.2"               exit code 8 when that does not hold
    lmcli eval pairs.jsonl --model chat
    lmcli eval --pred out.txt --ref gold.txt
    lmcli eval --score lines.txt | sort -g      the least probable first
    """
    from lmcli.cli.evaluating import evaluate_files, evaluate_model
    from lmcli.cli.scoring import score_now
    from lmcli.errors import UsageError

    if score is not None:
        if data or name or pred or ref:
            raise UsageError("--score FILE stands alone", "leave out what else is to be measured")
        return score_now(session, score)
    if (pred is None) != (ref is None):
        raise UsageError("--pred and --ref come together", "name a file of predictions and one of references")
    if pred is not None and ref is not None:
        return evaluate_files(session, pred, ref)
    return evaluate_model(session, data, name)
