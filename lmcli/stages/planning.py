"""What `train` would do, found out without training: for the project's tokens, or for a corpus of a given size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from lmcli.errors import ArtifactError, UsageError
from lmcli.models.config import ModelConfig
from lmcli.models.device import resolve_compute, use_threads
from lmcli.models.presets import with_preset
from lmcli.project import document, settings
from lmcli.project.document import Document
from lmcli.project.project import Project
from lmcli.project.settings import Given
from lmcli.stages import models
from lmcli.stages.graph import requests
from lmcli.stages.train import settled
from lmcli.tokens.shards import TokenStream
from lmcli.tokens.tokenizer import Tokenizer
from lmcli.training.config import PretrainConfig
from lmcli.training.continuing import Base
from lmcli.training.expectation import SAMPLE, Text, compressed_bits, english, unigram_bits
from lmcli.training.forecast import Forecast, forecast
from lmcli.training.machine import assumed, by_smaller, on_random_tokens, within
from lmcli.training.planner import Corpus
from lmcli.training.shortage import ShortageError, free_bytes

TABLES = {"model": ModelConfig, "train": PretrainConfig}
COUNTED = 1_000_000
"""Tokens of which frequencies are counted."""
NO_TOKENS = "run `lmcli tokenize` first, or give --tokens and --vocab"


@dataclass(frozen=True)
class Assumed:
    """What a person gives instead of what is here: training tokens and vocabulary, GFLOP/s, free bytes of memory."""

    tokens: int | None = None
    vocab: int | None = None
    speed: float | None = None
    memory: int | None = None


def planned(project: Project | None, given: Given, assume: Assumed, elapsed: Callable[[], float]) -> Forecast:
    """The forecast of `lmcli train` with these settings. `elapsed` is the time since the command began.

    A run that the memory doesn't hold is forecast all the same.
    Raises UsageError for half a corpus, ArtifactError where there are neither tokens nor numbers, and InputError.
    """
    found = settings.resolve(TABLES, project.document if project else Document(Path(document.NAME)), given)
    model, config = with_preset(found.sections["model"], found.given["model"]), found.sections["train"]
    corpus, text = _given_corpus(assume) or _corpus(project)
    if project and config.continue_from:  # unless that is for other models than this one
        config, _ = settled(requests(project, given, {"model": "train"})["model"])
    if project and config.continue_from:
        model, config, corpus = _further(project, model, config, corpus)
    compute = resolve_compute(config)
    use_threads(compute)
    if assume.speed:
        measure, elapsed = assumed(assume.speed * 1e9, corpus.vocab_size), lambda: 0.0
    else:
        measure = by_smaller(on_random_tokens(corpus.vocab_size, config, compute), corpus.vocab_size)
    made = partial(forecast, corpus, text, model, config, compute, elapsed)
    if assume.speed and assume.memory is None:
        return made(measure)
    free = free_bytes(compute.device) if assume.memory is None else assume.memory
    try:
        return made(within(free, measure, corpus.vocab_size, config, compute))
    except ShortageError:  # `train` would raise it; a plan says what is lacking
        return made(measure)


def _further(
    project: Project, model: ModelConfig, config: PretrainConfig, corpus: Corpus
) -> tuple[ModelConfig, PretrainConfig, Corpus]:
    """The same for a model that is trained further: it brings its shape along, and reads whole windows."""
    kinds = {entry.name: entry.stage for entry in project.manifest().entries.values()}
    base = Base(models.find(project, config.continue_from, kinds))
    config = replace(config, short_start=0.0) if config.short_start == "auto" else config
    return base.dials(model), config, replace(corpus, vocab_size=base.shape.vocab_size)


def _given_corpus(assume: Assumed) -> tuple[Corpus, Text] | None:
    """A corpus of English of that size, a tenth of it held out."""
    if (assume.tokens is None) != (assume.vocab is None):
        raise UsageError("--tokens and --vocab go together", "give both, or neither for the project's own tokens")
    if assume.tokens is None or assume.vocab is None:
        return None
    return Corpus(assume.tokens, assume.tokens // 9, assume.vocab), english(assume.tokens, assume.vocab)


def _corpus(project: Project | None) -> tuple[Corpus, Text]:
    """The tokens of the project, and how hard their text is."""
    entries = project.manifest().entries if project else {}
    if project is None or not {"tokens", "tokenizer"} <= entries.keys():
        raise ArtifactError("there are no tokens to plan for", NO_TOKENS)
    tokens = project.directory(entries["tokens"])
    train, validation = (TokenStream.open(tokens, side) for side in ("train", "validation"))
    corpus = Corpus(len(train), len(validation), train.vocab_size)
    return corpus, text_of(train, Tokenizer.load(project.directory(entries["tokenizer"])))


def text_of(train: TokenStream, tokenizer: Tokenizer) -> Text:
    """What the expectation rests on, from the first tokens of the training side."""
    tokens = train.take(0, min(len(train), COUNTED)) if len(train) else np.zeros(0, dtype=np.int64)
    sample = tokenizer.decode(tokens[:SAMPLE].tolist()).encode()[:SAMPLE]
    size = max(1, train.text_bytes)
    unigram = unigram_bits(tokens, size * len(tokens) / max(1, len(train)))
    return Text(max(1, len(train)), size, train.vocab_size, unigram, compressed_bits(sample))
