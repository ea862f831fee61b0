"""How well a model tells what stands behind masks, and ELECTRA's discriminator what was replaced."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch

from lmcli.corpus.documents import Document
from lmcli.errors import ArtifactError, ConfigError, InputError
from lmcli.evaluation.config import EvalConfig
from lmcli.evaluation.intervals import score
from lmcli.evaluation.measuring import another_tokenizer
from lmcli.evaluation.results import Results
from lmcli.evaluation.scores import Counts, Score, Tally, mean
from lmcli.models.device import Compute, resolve_compute
from lmcli.models.directory import load_model
from lmcli.models.masked_lm import load_masked_lm
from lmcli.models.model import Model
from lmcli.objectives import cross_entropy
from lmcli.objectives.batch import IGNORED, Batch
from lmcli.objectives.masked_text import MaskedText, read
from lmcli.objectives.masking import Masking
from lmcli.objectives.replaced_tokens import ReplacedTokens, filled
from lmcli.objectives.segments import Layout
from lmcli.progress import Progress
from lmcli.tokens.shards import TokenStream
from lmcli.tokens.tokenizer import Tokenizer
from lmcli.tokens.window_batch import Ids, WindowBatch

RATE = 0.15

Columns = dict[str, Counts]
"""Figure -> (windows, 2): an amount, and of how many."""


@dataclass(frozen=True)
class Filler:
    """A model that fills in masks, its tokenizer, and the discriminator that it was trained with, if any."""

    model: Any
    tokenizer: Tokenizer
    compute: Compute
    discriminator: Any = None

    @classmethod
    def load(cls, directory: Path, config: EvalConfig) -> Filler:
        """Raises ArtifactError for a model without such an output, or a tokenizer without a mask."""
        compute = resolve_compute(config)
        tokenizer = Tokenizer.load(directory)
        if "mask_token" not in tokenizer.roles:
            raise ArtifactError(f"{directory}: the tokenizer has no mask token", "take another --model")
        model: Model = load_model(directory, compute.device)
        if "replaced" not in model.heads:
            return cls(load_masked_lm(directory, compute.device), tokenizer, compute)
        load_masked_lm(directory, compute.device)  # says so where the generator is missing
        return cls(model.companions()["generator"], tokenizer, compute, model)


def measure_masks(filler: Filler, stream: TokenStream | TextStream, config: EvalConfig, progress: Progress) -> Results:
    """Loss and accuracy at 15 % of the tokens, all of them behind masks that `config.seed` chooses.

    The text is read in disjoint windows, each between the tokens that stand around a text; what is left at its end and
    fills no window is not read. Raises ConfigError for metrics of generated text, InputError for too short a text.
    """
    if config.metrics:
        message = "metrics compare generated text with references, and an encoder writes none"
        raise ConfigError(message, "leave the metrics out")
    if (stream.vocab_size, stream.end_id) != (filler.tokenizer.vocab_size, filler.tokenizer.end_id):
        raise another_tokenizer()
    objective = _objective(filler)
    columns: list[Columns] = []
    windows = _windows(stream, filler, config)
    with progress.task("evaluate", len(stream), "tokens") as task, torch.inference_mode(), filler.compute.autocast():
        for part in windows:
            batch = objective.batch(part).to(filler.compute.device)
            columns.append(_columns(filler, batch))
            task.advance(len(part) * batch.inputs.shape[1])
    if not columns:
        raise InputError("there is no text to evaluate", "the validation side or the file is empty")
    counts = {"tokens": sum(int(part["masked_loss"][:, 1].sum()) for part in columns), "text_bytes": stream.text_bytes}
    return Results(_scores(columns, filler, config), counts)


class TextStream:
    """Documents in memory, as far as windows over a `TokenStream` look at it."""

    def __init__(self, documents: Iterable[Document], tokenizer: Tokenizer) -> None:
        self.end_id, self.vocab_size, self.text_bytes = tokenizer.end_id, tokenizer.vocab_size, 0
        ids: list[int] = []
        for document in documents:
            self.text_bytes += len(document.text.encode())
            ids += tokenizer.encode(document.text)
            ids += [tokenizer.end_id] if document.ends else []
        self._ids = np.array(ids, dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ids)

    def take(self, start: int, length: int) -> Ids:
        """From the beginning again after the end."""
        return self._ids[np.arange(start, start + length) % len(self._ids)]


def _objective(filler: Filler) -> MaskedText | ReplacedTokens:
    roles = filler.tokenizer.roles
    masking = Masking.by(filler.tokenizer, roles["mask_token"], rate=RATE, mask=1.0, random=0.0, whole_words=False)
    layout = Layout(roles.get("cls_token"), roles.get("sep_token"))
    if filler.discriminator is None:
        return MaskedText(masking, layout)
    return ReplacedTokens(masking, layout, factor=1.0)


def _windows(stream: TokenStream | TextStream, filler: Filler, config: EvalConfig) -> Iterator[WindowBatch]:
    """The text once: windows begin where the text of the one before ended."""
    around = sum(role in filler.tokenizer.roles for role in ("cls_token", "sep_token"))
    context = min(filler.model.shape.context, len(stream) + around)
    room = max(1, context - around)
    starts = np.arange(len(stream) // room) * room
    for first in range(0, len(starts), config.batch):
        part = starts[first : first + config.batch]
        ids = np.stack([stream.take(int(start), context + 1) for start in part])
        yield WindowBatch(ids, part, part // room, config.seed, cast(TokenStream, stream))


def _columns(filler: Filler, batch: Batch) -> Columns:
    chosen = batch.targets != IGNORED
    originals, output = batch.targets[chosen], filler.model.output
    states = filler.model.before_output(read(filler.model, batch)[chosen])
    nats = cross_entropy.each(states, output, originals)
    right = torch.cat([output.logits(part).argmax(-1) for part in torch.split(states, 256)]) == originals
    found = {"masked_loss": _rows(nats, chosen), "masked_accuracy": _rows(right, chosen)}
    if filler.discriminator is None:
        return found
    text, replaced = filled(batch, states, output, originals)
    logits = filler.discriminator.replaced_logits(filler.discriminator.hidden(text))
    told = (logits > 0) == replaced
    hits = (logits > 0) & replaced
    everywhere = torch.ones_like(chosen)
    return {
        **found,
        "replaced_accuracy": _rows(told[everywhere], everywhere),
        "replaced_share": _rows(replaced[everywhere], everywhere),
        "replaced_recall": _rows(hits[replaced], replaced),
    }


def _rows(values: torch.Tensor, where: torch.Tensor) -> Counts:
    """(windows, 2): the sum over the chosen positions of each window, and their number."""
    spread = torch.zeros(where.shape, dtype=torch.float64, device=where.device)
    spread[where] = values.double()
    return torch.stack([spread.sum(1), where.double().sum(1)], 1).cpu().numpy()


_MEANING = {
    "masked_loss": "nats per masked token",
    "masked_accuracy": "share of masked tokens told",
    "replaced_accuracy": "share of tokens judged right",
    "replaced_share": "share of tokens that were replaced",
    "replaced_recall": "share of replaced tokens found",
}


def _scores(columns: Sequence[Columns], filler: Filler, config: EvalConfig) -> tuple[Score, ...]:
    sizes = f"context:{filler.model.shape.context}|vocab:{filler.tokenizer.vocab_size}"
    layout = f"masks:{RATE:g}|seed:{config.seed}|{sizes}"
    return tuple(
        score(Tally(name, f"{_MEANING[name]}|{layout}", "windows", _joined(columns, name), mean), config.seed)
        for name in columns[0]
    )


def _joined(columns: Iterable[Columns], name: str) -> Counts:
    return np.concatenate([part[name] for part in columns])
