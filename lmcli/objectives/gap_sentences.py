"""Gap sentences as PEGASUS has them (Zhang et al., 2020): the principal sentences of a text are to be written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from lmcli.objectives.covering import Spans, covered
from lmcli.objectives.noise import Pair, Sentences, sentences
from lmcli.tokens.window_batch import Ids, WindowBatch

Choice = Literal["principal", "random"]


@dataclass(frozen=True)
class GapSentences:
    """`rate` of each document's sentences become a mask token each; joined in their order they are the target.

    `choice` takes the principal ones, those that have most in common with the rest of their document, or random ones.
    At least one sentence of a document stays.
    """

    rate: float
    choice: Choice
    mask_id: int
    end_id: int

    def __call__(self, windows: WindowBatch, row: int, length: int) -> Pair:
        ids, found = windows.ids[row, :length], sentences(windows, row, length)
        rng = windows.rng(row)
        scores = overlaps(ids, found) if self.choice == "principal" else rng.random(len(found.starts))
        chosen = highest(scores, found, self.rate, rng)
        spans = Spans(found.starts[chosen], found.stops[chosen])
        source = covered(ids, spans, np.full(len(spans.starts), self.mask_id))
        hidden = np.repeat(chosen, found.stops - found.starts)
        return Pair(np.append(source, self.end_id), np.append(ids[hidden], self.end_id))


def overlaps(ids: Ids, found: Sentences) -> Ids:
    """(n,): how many tokens each sentence has in common with the rest of its document, repeats included.

    That ranks as ROUGE-1 F1 does (Lin, 2004), for which each sentence is compared with all others of its document
    together: F1 = 2 overlap / (tokens of the one + tokens of the others), and their sum is the document's length.
    """
    words, word = np.unique(ids, return_inverse=True)
    sentence = np.repeat(np.arange(len(found.starts)), found.stops - found.starts)
    own = _counts(sentence, word, len(found.starts), len(words))
    document = _counts(found.documents[sentence], word, int(found.documents[-1]) + 1, len(words))
    common: Ids = np.minimum(own, document[found.documents] - own).sum(axis=1)
    return common


def _counts(group: Ids, word: Ids, groups: int, words: int) -> Ids:
    """(groups, words): how often each word occurs in each group."""
    return np.bincount(group * words + word, minlength=groups * words).reshape(groups, words)


def highest(
    scores: npt.NDArray[np.int64] | npt.NDArray[np.float64], found: Sentences, rate: float, rng: np.random.Generator
) -> npt.NDArray[np.bool_]:
    """(n,): `rate` of each document's sentences, those with the highest scores; of equals the first.

    A number between two whole ones is rounded up as often as its fraction says. Where that takes none of a whole text,
    it is the best one of the document with the most sentences.
    """
    documents = int(found.documents[-1]) + 1
    there = np.bincount(found.documents[found.movable], minlength=documents)
    wanted = np.minimum(np.floor(rate * there + rng.random(documents)).astype(np.int64), np.maximum(there - 1, 0))
    if not wanted.any() and there.max() > 1:
        wanted[int(there.argmax())] = 1
    order = np.lexsort(
        (np.negative(scores), ~found.movable, found.documents)
    )  # by document, end tokens last, the best first
    first = np.searchsorted(found.documents, np.arange(documents))
    rank = np.arange(len(order)) - first[found.documents]
    chosen = np.zeros(len(order), dtype=bool)
    chosen[order] = rank < wanted[found.documents]
    return chosen
