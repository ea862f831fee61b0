"""The probability of single texts, for ranking them, for judging whether they are acceptable, for filtering."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from lmcli.corpus.config import ReadingConfig
from lmcli.corpus.readers import RECORDS
from lmcli.corpus.readers.jsonl import lines
from lmcli.corpus.reading import Reading
from lmcli.corpus.records import documents
from lmcli.corpus.sources import Source
from lmcli.corpus.tally import Tally
from lmcli.evaluation.likelihood import Nats
from lmcli.evaluation.measuring import Subject
from lmcli.evaluation.token_nats import token_nats
from lmcli.evaluation.windows import document_windows
from lmcli.progress import Progress, Silent
from lmcli.tokens.windows import IGNORED

GROUP = 256
"""Texts that are sorted by length before they are computed, so that those in a batch need little padding."""


@dataclass(frozen=True, slots=True)
class TextScore:
    """`log_probability` is ln p of the text and of its end after it, `tokens` counts both.

    `bits_per_byte` is that of the text alone, the figure by which models with other tokenizers compare; None without
    any byte. `unknown` tokens stand for text that the tokenizer can't represent, and are counted in `tokens`.
    """

    text: str
    log_probability: float
    tokens: int
    per_token: float
    bits_per_byte: float | None
    unknown: int


def texts(sources: Sequence[Source], config: ReadingConfig) -> Iterator[str]:
    r"""What is to be scored, in order: the rows of jsonl and other tables, each line of other files, empty ones too.

    A `\r` before a line's end is no part of it. Raises InputError, naming file and line, for what can't be read.
    """
    reading = Reading(config, Tally(), lambda amount: None)
    for source in sources:
        if source.reader in RECORDS:
            yield from (document.text for document in documents(source, reading))
        else:
            found = (reading.settle(line.removesuffix("\r")) for line in lines(reading.text(source)))
            yield from (line for line in found if line is not None)


def scored(subject: Subject, texts: Iterable[str], batch: int, progress: Progress) -> Iterator[TextScore]:
    """A score for each text, in order. Each starts anew, as a document does, and ends with the end token.

    A text longer than the context is read in disjoint windows, as perplexity is measured; what is computed beside it
    moves it by no more than rounding.
    """
    with progress.task("score", None, "texts") as task:
        remaining = iter(texts)
        while group := list(itertools.islice(remaining, GROUP)):
            ids = [subject.tokenizer.encode(text) for text in group]
            order = sorted(range(len(ids)), key=lambda place: len(ids[place]))
            costs = _costs(subject, [ids[place] for place in order], batch)
            found = dict(zip(order, costs, strict=True))
            for place, text in enumerate(group):
                yield _score(subject, text, ids[place], found[place])
            task.advance(len(group))


def _costs(subject: Subject, documents: Sequence[Sequence[int]], batch: int) -> list[Nats]:
    """The nats of each token of each document and of its end."""
    windows = document_windows([(ids, True) for ids in documents], subject.tokenizer.end_id, subject.context, batch)
    parts = [
        nats[targets != IGNORED] for targets, nats in token_nats(subject.decoder, windows, subject.compute, Silent())
    ]
    ends = np.cumsum([len(ids) + 1 for ids in documents])
    return np.split(np.concatenate(parts), ends[:-1])


def _score(subject: Subject, text: str, ids: Sequence[int], nats: Nats) -> TextScore:
    unknown = subject.tokenizer.unknown_id
    total, size = float(nats.sum()), len(text.encode())
    return TextScore(
        text=text,
        log_probability=-total,
        tokens=len(nats),
        per_token=-total / len(nats),
        bits_per_byte=float(nats[:-1].sum()) / math.log(2) / size if size else None,
        unknown=0 if unknown is None else ids.count(unknown),
    )
