"""The noise of BART (Lewis et al., 2019, section 2.2), whose target is the text as it was."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lmcli.objectives.covering import Spans, covered
from lmcli.objectives.noise import Pair, Sentences, sentences
from lmcli.tokens.window_batch import Ids, WindowBatch


@dataclass(frozen=True)
class BartNoise:
    """Applied in this order, each where its share is not 0.

    `permute`  share of the sentences that change places, within their document
    `delete`   share of the tokens that vanish
    `infill`   share of the tokens that spans with Poisson(`span`) lengths hide behind a mask token each
    `rotate`   share of the windows that begin at a random token, with what came before it at the end
    """

    permute: float
    delete: float
    infill: float
    span: float
    rotate: float
    mask_id: int
    end_id: int

    def __call__(self, windows: WindowBatch, row: int, length: int) -> Pair:
        ids, rng = windows.ids[row, :length], windows.rng(row)
        source = ids
        if self.permute:
            source = permuted(source, sentences(windows, row, length), self.permute, rng)
        if self.delete:
            source = thinned(source, self.delete, rng)
        if self.infill:
            spans = poisson_spans(len(source), self.infill, self.span, rng)
            source = covered(source, spans, np.full(len(spans.starts), self.mask_id))
        if self.rotate and rng.random() < self.rotate:
            source = np.roll(source, -int(rng.integers(len(source))))
        return Pair(np.append(source, self.end_id), np.append(ids, self.end_id))


def permuted(ids: Ids, found: Sentences, share: float, rng: np.random.Generator) -> Ids:
    """`share` of the sentences, drawn at random, take each other's places within their document."""
    movable = np.flatnonzero(found.movable)
    moved = np.sort(rng.choice(movable, round(share * len(movable)), replace=False))
    order = np.arange(len(found.starts))
    order[moved] = moved[np.lexsort((rng.random(len(moved)), found.documents[moved]))]
    sizes = (found.stops - found.starts)[order]
    # Places in the text, sentence by sentence: where each begins, and from there on one token after the other.
    first = np.repeat(found.starts[order] - (np.cumsum(sizes) - sizes), sizes)
    return ids[first + np.arange(len(ids))]


def thinned(ids: Ids, share: float, rng: np.random.Generator) -> Ids:
    """Without `share` of the tokens; one stays in any case."""
    gone = rng.choice(len(ids), min(round(share * len(ids)), len(ids) - 1), replace=False)
    return np.delete(ids, gone)


def poisson_spans(length: int, share: float, mean: float, rng: np.random.Generator) -> Spans:
    """Spans with Poisson(mean) lengths that hide `share` of the tokens together; the last one is cut to that.

    An empty span only puts a mask token in. Spans may touch, and don't overlap.
    """
    hidden = round(share * length)
    sizes = np.zeros(0, dtype=np.int64)
    while sizes.sum() < hidden:
        sizes = np.append(sizes, rng.poisson(mean, 1 + int(hidden / mean)))
    reached = np.minimum(np.cumsum(sizes), hidden)
    sizes = np.diff(reached[: np.searchsorted(reached, hidden) + 1], prepend=0) if hidden else sizes
    kept = length - hidden
    # Tokens that stay and spans in a random order: how many of the former come before each of the latter.
    places = np.sort(rng.choice(kept + len(sizes), len(sizes), replace=False)) - np.arange(len(sizes))
    starts = places + np.cumsum(sizes) - sizes
    return Spans(starts, starts + sizes)
