"""Perplexity and bits per byte, from the probability that a model gives to each token of a text once."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lmcli.errors import InputError
from lmcli.evaluation.intervals import score
from lmcli.evaluation.scores import Counts, Score, Tally, ratio
from lmcli.tokens.window_batch import Ids
from lmcli.tokens.windows import IGNORED

Nats = npt.NDArray[np.float64]
ENOUGH_DOCUMENTS = 30  # with fewer, resampling documents says little and windows are resampled instead

_NATS, _TOKENS, _TEXT_NATS, _BYTES = range(4)


@dataclass(frozen=True, slots=True, eq=False)
class Likelihood:
    """Sums over a text: `nats` of all `tokens`, end tokens included; `text_nats` without those of the end tokens.

    `rows` has the shape (units, 4): nats, tokens, text nats and bytes of each document or, where there are few
    documents, of each window.
    """

    nats: float
    tokens: int
    text_nats: float
    text_bytes: int
    documents: int
    context: int
    vocab_size: int
    unit: str
    rows: Counts

    def scores(self, seed: int) -> tuple[Score, ...]:
        """loss (nats per token), perplexity (its exponential) and bpb (bits for each UTF-8 byte of the text).

        Loss and perplexity compare only between models with the same tokenizer, bits per byte between all models.
        """
        layout = f"context:{self.context}|windows:disjoint|vocab:{self.vocab_size}|tokens:{self.tokens}"
        text = f"context:{self.context}|windows:disjoint|end tokens:no|bytes:{self.text_bytes}"
        values: dict[str, tuple[str, Callable[[Counts], float]]] = {
            "loss": (f"nats per token|{layout}", _loss),
            "perplexity": (f"per token|{layout}", lambda sums: _exponential(_loss(sums))),
            "bpb": (f"bits per byte|{text}", lambda sums: ratio(sums[_TEXT_NATS] / math.log(2), sums[_BYTES])),
        }
        return tuple(
            score(Tally(name, signature, self.unit, self.rows, value), seed)
            for name, (signature, value) in values.items()
        )


def likelihood(
    windows: Iterable[tuple[Ids, Nats]],
    *,
    token_bytes: Ids,
    end_id: int,
    context: int,
    text_bytes: Callable[[], int] | None = None,
    unit: str = "auto",
) -> Likelihood:
    """The sums over `windows` of (targets, nats of each target), both (B, T) and in the order of the text.

    A document ends with each target `end_id`. `text_bytes`, asked after the last window, is the size of the text itself
    and wins over the sum of what its tokens stand for, which misses what the tokenizer has no token for. A `unit` other
    than "auto" is what each window holds ("rows"). InputError when there is no token.
    """
    by_document, by_window = _Documents(end_id), _Windows()
    for targets, nats in windows:
        columns = _columns(targets, nats, token_bytes, end_id)
        by_document.add(targets, columns)
        by_window.add(targets, columns)
    documents = by_document.rows()
    if unit == "auto":
        unit = "documents" if len(documents) >= ENOUGH_DOCUMENTS else "windows"
    rows = documents if unit == "documents" else by_window.rows()
    sums = rows.sum(axis=0)
    if not sums[_TOKENS]:
        raise InputError("there is no text to evaluate", "the validation side or the file is empty")
    covered = int(sums[_BYTES])
    size = covered if text_bytes is None else text_bytes()
    if covered and covered != size:
        rows = rows * np.array([1, 1, 1, size / covered])
    return Likelihood(
        nats=float(sums[_NATS]),
        tokens=int(sums[_TOKENS]),
        text_nats=float(sums[_TEXT_NATS]),
        text_bytes=size,
        documents=len(documents),
        context=context,
        vocab_size=len(token_bytes),
        unit=unit,
        rows=rows,
    )


def _columns(targets: Ids, nats: Nats, token_bytes: Ids, end_id: int) -> Counts:
    """(B, T, 4): what each position adds to the sums; nothing where the target is padding."""
    real = targets != IGNORED
    text = real & (targets != end_id)
    sizes = token_bytes[np.where(text, targets, 0)]
    return np.stack([np.where(real, nats, 0), real, np.where(text, nats, 0), sizes * text], axis=-1).astype(np.float64)


class _Windows:
    """Sums for each window."""

    def __init__(self) -> None:
        self._rows: list[Counts] = []

    def add(self, targets: Ids, columns: Counts) -> None:
        self._rows.append(columns.sum(axis=1))

    def rows(self) -> Counts:
        return np.concatenate(self._rows) if self._rows else np.zeros((0, 4))


class _Documents:
    """Sums for each document, also where a window holds many of them or one of them runs over many windows."""

    def __init__(self, end_id: int) -> None:
        self._end_id = end_id
        self._rows: list[Counts] = []
        self._open = np.zeros(4)

    def add(self, targets: Ids, columns: Counts) -> None:
        real = targets != IGNORED
        ends = targets[real] == self._end_id  # (N,)
        if not len(ends):
            return
        place = np.cumsum(ends) - ends  # which document of this batch a target belongs to; its end belongs to it too
        sums = np.zeros((int(place[-1]) + 1, 4))
        np.add.at(sums, place, columns[real])
        sums[0] += self._open
        complete = len(sums) if ends[-1] else len(sums) - 1
        self._open = np.zeros(4) if ends[-1] else sums[-1]
        self._rows.append(sums[:complete])

    def rows(self) -> Counts:
        last = [self._open[None]] if self._open[_TOKENS] else []
        return np.concatenate([*self._rows, *last]) if self._rows or last else np.zeros((0, 4))


def _loss(sums: Counts) -> float:
    return ratio(sums[_NATS], sums[_TOKENS])


def _exponential(loss: float) -> float:
    return math.exp(loss) if loss < 700 else math.inf
