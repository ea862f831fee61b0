"""The probabilities of texts straight to the terminal."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from lmcli.cli.session import Session, Shown
from lmcli.cli.writing import is_encoder, model_directory, surroundings
from lmcli.evaluation.config import EvalConfig
from lmcli.project import settings
from lmcli.project.document import Document

if TYPE_CHECKING:
    from lmcli.evaluation.scoring import TextScore

PSEUDO = "of each token given all the others: "
COLUMNS = "ln p, tokens, ln p per token, bits per byte, text"


def score_now(session: Session, file: str) -> Shown | None:
    """A line for each text of a file, as they come; nothing is kept. Works outside of a project with --model PATH."""
    given = session.given()
    document, root, default = surroundings(session)
    config: EvalConfig = settings.resolve({"eval": EvalConfig}, Document(document.path), given).sections["eval"]
    name = session.place(config.model) if config.model else default
    directory = model_directory(session, root, name)

    from lmcli.cli.piped import temporary
    from lmcli.corpus.sources import resolve
    from lmcli.evaluation import masks, measuring, pseudo, scoring
    from lmcli.models.device import use_threads

    path = str(temporary(session)) if file == "-" else str(session.folder / file)
    sources = resolve([path], Path(), config.format)
    # Texts that are nearly alike are told apart by digits that bfloat16 doesn't have.
    exact = replace(config, dtype="float32") if config.dtype == "auto" else config
    texts, encoder = scoring.texts(sources, config), is_encoder(directory)
    subject = masks.Filler.load(directory, exact) if encoder else measuring.load(directory, exact)
    use_threads(subject.compute)
    session.console.say(f"model {name} ({directory}); columns: {PSEUDO if encoder else ''}{COLUMNS}")
    if isinstance(subject, masks.Filler):
        found = pseudo.pseudo_scored(subject, texts, config.batch, session.console)
    else:
        found = scoring.scored(subject, texts, config.batch, session.console)
    scores = []
    unknown = tokens = 0
    for score in found:
        unknown, tokens = unknown + score.unknown, tokens + score.tokens
        if session.json:
            scores.append(asdict(score))
        else:
            session.console.write(line(score) + "\n")
    if unknown:
        session.console.warn(f"{unknown} of {tokens} tokens stand for text that the tokenizer can't represent")
    return Shown({"model": name, "path": str(directory), "scores": scores}) if session.json else None


def line(score: TextScore) -> str:
    """Tab-separated; a text with tabs or ends of lines in it is written as in JSON."""
    bits = "" if score.bits_per_byte is None else f"{score.bits_per_byte:.6f}"
    text = score.text if score.text.isprintable() else json.dumps(score.text, ensure_ascii=False)[1:-1]
    return f"{score.log_probability:.6f}\t{score.tokens}\t{score.per_token:.6f}\t{bits}\t{text}"
