"""Span corruption as T5 does it (Raffel et al., 2020, section 3.1.4)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lmcli.errors import ConfigError
from lmcli.objectives.covering import Spans, composed, covered, told
from lmcli.objectives.noise import Pair
from lmcli.tokens.window_batch import Ids, WindowBatch


@dataclass(frozen=True)
class SpanCorruption:
    """`rate` of the tokens are hidden in spans of `span` tokens on average, each behind a sentinel of its own.

    The source keeps the rest, and ends; the target has each sentinel and what it hides, a last sentinel, and the end:

        source  Thank you <extra_id_0> me to your party <extra_id_1> week. <end>
        target  <extra_id_0> for inviting <extra_id_1> last <extra_id_2> <end>

    An end token inside a text is never hidden, for a target would seem to end there: of a span around one the longer
    side is left.
    """

    rate: float
    span: float
    sentinels: Ids
    """The ids of <extra_id_0>, <extra_id_1>, ..."""
    end_id: int

    def __call__(self, windows: WindowBatch, row: int, length: int) -> Pair:
        ids = windows.ids[row, :length]
        spans = without(self.end_id, ids, random_spans(length, self.rate, self.span, windows.rng(row)))
        count = len(spans.starts)
        self._check(count + 1, length)
        source = covered(ids, spans, self.sentinels[:count])
        target = told(ids, spans, self.sentinels[:count])
        return Pair(np.append(source, self.end_id), np.append(target, [self.sentinels[count], self.end_id]))

    def _check(self, needed: int, length: int) -> None:
        if needed > len(self.sentinels):
            message = f"{length} tokens of text need {needed} sentinels, and the tokenizer has {len(self.sentinels)}"
            line = f"write `sentinels = {needed}` under [tokenizer] in lmcli.toml, then `lmcli tokenize --retrain`"
            raise ConfigError(message, f"{line}; or choose longer spans, or a shorter model.context")


def random_spans(length: int, rate: float, span: float, rng: np.random.Generator) -> Spans:
    """How T5 draws them: rounded numbers of hidden tokens and of spans, and random lengths of both spans and gaps.

    No two spans touch; a text of at least 2 tokens begins outside of a span and ends in one.
    """
    hidden = min(max(round(length * rate), 1), length - 1)
    count = min(max(round(hidden / span), 1), hidden, length - hidden)
    sizes, gaps = composed(hidden, count, rng), composed(length - hidden, count, rng)
    stops = np.cumsum(sizes + gaps)
    return Spans(stops - sizes, stops)


def without(token: int, ids: Ids, spans: Spans) -> Spans:
    """The spans, each cut down to its longest part that is free of `token`; empty ones are left out."""
    places = np.flatnonzero(ids == token)
    if not len(places):
        return spans
    kept = [_longest_part(int(start), int(stop), places) for start, stop in zip(*spans, strict=True)]
    starts, stops = np.array(kept, dtype=np.int64).T
    there = stops > starts
    return Spans(starts[there], stops[there])


def _longest_part(start: int, stop: int, cuts: Ids) -> tuple[int, int]:
    inside = [int(cut) for cut in cuts[np.searchsorted(cuts, start) : np.searchsorted(cuts, stop)]]
    parts = zip([start, *(cut + 1 for cut in inside)], [*inside, stop], strict=True)
    return max(parts, key=lambda part: part[1] - part[0])
