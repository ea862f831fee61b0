"""Prompts in, texts out."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from lmcli.errors import ArtifactError, ConfigError
from lmcli.generation.answering import Answering
from lmcli.generation.between import around
from lmcli.generation.completion import Completion
from lmcli.generation.config import GenerateConfig
from lmcli.generation.decoding import Decoding
from lmcli.generation.sampling import Rules, choose, penalise
from lmcli.models.decoder import Decoder
from lmcli.models.device import resolve_compute
from lmcli.models.directory import Writer
from lmcli.tokens.tokenizer import StreamDecoder, Tokenizer

OnText = Callable[[int, str], None]


@dataclass(frozen=True, slots=True)
class Sample:
    """A text written after `prompt`, which it doesn't repeat.

    `tokens` counts the new tokens without the end token. `finish_reason` is "end" (the model ended the document),
    "stop" (a stop string came; it is not part of the text) or "length". `truncated` tells that the prompt was longer
    than the context and only its end (of a source, its beginning) was read. The seed makes the text again, alone or in
    any batch. `goes_on` is False for an encoder-decoder, which writes for the prompt and not after it.
    """

    prompt: str
    text: str
    tokens: int
    finish_reason: Literal["end", "stop", "length"]
    seed: int
    truncated: bool
    goes_on: bool = True

    @property
    def with_prompt(self) -> str:
        return joined(self.prompt, self.text, self.goes_on)


def joined(prompt: str, text: str, goes_on: bool) -> str:
    """A text with its prompt before it, on a line of its own where it doesn't go on from that."""
    return prompt + text if goes_on or not prompt else f"{prompt}\n{text}"


@dataclass
class _Row:
    """A sample being written; `index` is its place in the result."""

    index: int
    prompt: str
    ids: list[int]
    rng: random.Random
    completion: Completion
    tokens: int = 0
    finish_reason: Literal["end", "stop", "length"] = "length"


def write(
    model: Writer,
    tokenizer: Tokenizer,
    prompts: Sequence[str],
    config: GenerateConfig,
    seed: int,
    on_text: OnText | None = None,
) -> list[Sample]:
    """`config.count` samples for each prompt, in the order of the prompts.

    `on_text(index, piece)` gets complete characters as they come; the pieces of an index join to the text of that
    sample. An empty prompt starts a document. An encoder-decoder has the prompt for its source and writes at most its
    context. A sample depends on the seed, its number among the samples of its prompt and the prompt, but not on what is
    written beside it (within float rounding of the scores).
    Raises ArtifactError when the model and the tokenizer don't belong together or the model's scores aren't finite.
    """
    if tokenizer.vocab_size > model.shape.vocab_size:
        message = f"the tokenizer has {tokenizer.vocab_size} tokens and the model {model.shape.vocab_size}"
        raise ArtifactError(message, "use the tokenizer that the model was trained with")
    if "" in config.stop:
        raise ConfigError("generate.stop holds an empty string", "every text would end at once")
    goes_on = isinstance(model, Decoder)
    if config.suffix and not goes_on:
        raise ConfigError("generate.suffix is for decoders", "an encoder-decoder writes for a whole prompt")
    context = model.reach if isinstance(model, Decoder) else model.shape.context
    sources = {prompt: _source(tokenizer, prompt, config, goes_on, context) for prompt in prompts}
    rows = _rows(tokenizer, sources, prompts, config, seed, on_text or (lambda index, piece: None))
    compute = resolve_compute(replace(config, device=str(model.embedding.device)))
    by_length = sorted(rows, key=lambda row: len(row.ids))  # rows of like length need little padding
    with torch.inference_mode(), compute.autocast():
        for start in range(0, len(rows), config.batch):
            _write_batch(model, tokenizer, by_length[start : start + config.batch], config)
    return [
        Sample(row.prompt, row.completion.text, row.tokens, row.finish_reason, seed, len(row.ids) > context, goes_on)
        for row in rows
    ]


def _source(tokenizer: Tokenizer, prompt: str, config: GenerateConfig, goes_on: bool, context: int) -> list[int]:
    """The ids that are read; what an encoder-decoder reads ends with the end token, as fine-tuning lays it out."""
    if config.suffix:
        return around(tokenizer, prompt, config.suffix, context - min(config.max_tokens, context // 4))
    ids = tokenizer.encode(prompt)
    return ids if goes_on and ids else [*ids, tokenizer.end_id]


def _rows(
    tokenizer: Tokenizer,
    sources: Mapping[str, list[int]],
    prompts: Sequence[str],
    config: GenerateConfig,
    seed: int,
    on_text: OnText,
) -> list[_Row]:
    rows: list[_Row] = []
    for prompt in prompts:
        for number in range(config.count):
            index = len(rows)
            rng = random.Random(f"{seed}/{number}/{prompt}")
            completion = Completion(StreamDecoder(tokenizer), config.stop, _emit_as(on_text, index))
            rows.append(_Row(index, prompt, sources[prompt], rng, completion))
    return rows


def _emit_as(on_text: OnText, index: int) -> Callable[[str], None]:
    return lambda piece: on_text(index, piece)


def _write_batch(model: Writer, tokenizer: Tokenizer, rows: list[_Row], config: GenerateConfig) -> None:
    """Write rows to their ends; prompts that several rows share are read once."""
    prompts = list(dict.fromkeys(tuple(row.ids) for row in rows))
    decoding = _begun(model, tokenizer, prompts, config.max_tokens)
    decoding.select([prompts.index(tuple(row.ids)) for row in rows])
    seen = [row.ids if isinstance(model, Decoder) else [] for row in rows]
    chooser = _Chooser(tokenizer, config, seen, decoding.logits)
    for step in range(decoding.limit):
        ids = chooser.next(decoding.logits, rows, step)
        going = [place for place, row in enumerate(rows) if _take(row, ids[place], tokenizer.end_id)]
        if not going or step + 1 == decoding.limit:
            break
        if len(going) < len(rows):
            rows = [rows[place] for place in going]
            decoding.select(going)
            chooser.select(going)
        decoding.feed([ids[place] for place in going])
    for row in rows:
        if row.finish_reason == "length":
            row.completion.finish()


def _begun(
    model: Writer, tokenizer: Tokenizer, prompts: Sequence[Sequence[int]], max_tokens: int
) -> Decoding | Answering:
    if isinstance(model, Decoder):
        return Decoding(model, prompts, max_tokens)
    context = model.shape.context
    sources = [ids if len(ids) <= context else [*ids[: context - 1], tokenizer.end_id] for ids in prompts]
    return Answering(model, sources, tokenizer.pad_id, max_tokens)


def _take(row: _Row, token: int, end_id: int) -> bool:
    """Add a token to a row; False when that finishes it."""
    if token == end_id:
        row.finish_reason = "end"
    else:
        row.tokens += 1
        row.completion.push(token)
        if row.completion.stopped:
            row.finish_reason = "stop"
    if row.finish_reason != "length":
        row.completion.finish()
    return row.finish_reason == "length"


class _Chooser:
    """Chooses the next token of each row, by the rules of a config and each row's own random numbers.

    `seen` are the tokens that count as used already.
    """

    def __init__(
        self, tokenizer: Tokenizer, config: GenerateConfig, seen: Iterable[Sequence[int]], logits_bv: Tensor
    ) -> None:
        temperature = 0.0 if config.greedy else config.temperature
        self.rules = Rules(temperature=temperature, top_k=config.top_k, top_p=config.top_p, min_p=config.min_p)
        self.tokenizer, self.config = tokenizer, config
        self.seen_bv: Tensor | None = None
        if config.repetition_penalty != 1:
            self.seen_bv = torch.zeros_like(logits_bv, dtype=torch.bool)
            for place, ids in enumerate(seen):
                self.seen_bv[place, ids] = True

    def next(self, logits_bv: Tensor, rows: Sequence[_Row], step: int) -> list[int]:
        if self.seen_bv is not None:
            logits_bv = penalise(logits_bv, self.seen_bv, self.config.repetition_penalty)
        logits_bv = logits_bv[:, : self.tokenizer.vocab_size]  # a model may have spare rows that mean nothing
        if step < self.config.min_tokens:
            logits_bv = logits_bv.clone()
            logits_bv[:, self.tokenizer.end_id] = -torch.inf
        uniform_b = torch.tensor([row.rng.random() for row in rows], device=logits_bv.device)
        ids_b = choose(logits_bv, uniform_b, self.rules)
        if self.seen_bv is not None:
            self.seen_bv.scatter_(1, ids_b[:, None], True)
        return ids_b.tolist()

    def select(self, places: list[int]) -> None:
        if self.seen_bv is not None:
            self.seen_bv = self.seen_bv[places]
