"""Texts cut into windows in which every token is a target exactly once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from lmcli.tokens.window_batch import Ids
from lmcli.tokens.windows import IGNORED

Window = tuple[Ids, Ids]


def document_windows(
    pieces: Iterable[tuple[Sequence[int], bool]], end_id: int, context: int, batch: int
) -> Iterator[Window]:
    """Batches of (inputs, targets), both int64 (B, T), over (ids, whether the document ends here), in order.

    A document starts after an end token and ends with one; a long one is cut into disjoint windows, and the first input
    of a window is the token before its first target. Padding on the right has the target IGNORED. A batch has at most
    `batch` x `context` positions, so short documents share one.
    """
    waiting: list[Ids] = []
    longest = 0
    for window in _windows(pieces, end_id, context):
        if waiting and (len(waiting) + 1) * max(longest, len(window) - 1) > batch * context:
            yield _padded(waiting, longest, end_id)
            waiting, longest = [], 0
        waiting.append(window)
        longest = max(longest, len(window) - 1)
    if waiting:
        yield _padded(waiting, longest, end_id)


def _windows(pieces: Iterable[tuple[Sequence[int], bool]], end_id: int, context: int) -> Iterator[Ids]:
    """Runs of at most `context` + 1 tokens, the first of which is only an input."""
    tokens = [end_id]
    for ids, ends in pieces:
        tokens.extend(ids)
        if ends:
            tokens.append(end_id)
        start = 0
        while len(tokens) - start > context or (ends and len(tokens) - start > 1):
            yield np.array(tokens[start : start + context + 1], dtype=np.int64)
            start = min(start + context, len(tokens) - 1)
        tokens = tokens[start:]  # its last token at least: the first input of what comes next
    if len(tokens) > 1:
        yield np.array(tokens, dtype=np.int64)


def _padded(windows: Sequence[Ids], longest: int, end_id: int) -> Window:
    inputs = np.full((len(windows), longest), end_id, dtype=np.int64)
    targets = np.full((len(windows), longest), IGNORED, dtype=np.int64)
    for row, window in enumerate(windows):
        inputs[row, : len(window) - 1] = window[:-1]
        targets[row, : len(window) - 1] = window[1:]
    return inputs, targets
