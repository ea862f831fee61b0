"""Which tokens a model sees at which step: a pure function of the data, the seed and the step."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

from lmcli.errors import InputError
from lmcli.tokens.shards import TokenStream
from lmcli.tokens.window_batch import Ids, WindowBatch

IGNORED = -100


class Windows:
    """Batches of training windows of `context` + 1 tokens: the inputs, and the same shifted by one as targets.

    In each epoch the stream, seen as a circle, is cut into windows from a random offset on, and they come in a random
    order: each window once. Fewer tokens than `context` + 1 are repeated.
    """

    def __init__(self, stream: TokenStream, context: int, batch: int, seed: int) -> None:
        if not len(stream):
            raise InputError(f"the {stream.side} side has no text", "give a larger corpus")
        self._stream = stream
        self.context = context
        self.batch = batch
        self.seed = seed
        self.windows_per_epoch = max(1, len(stream) // context)
        self.tokens_per_epoch = self.windows_per_epoch * context
        self._epoch = functools.lru_cache(maxsize=2)(self._shuffled)

    def __call__(self, step: int) -> Ids:
        """(batch, context + 1) for step 0, 1, ...; a batch may reach into the next epoch."""
        return self.at(step).ids

    def at(self, step: int) -> WindowBatch:
        """The same with where it comes from."""
        numbers = np.arange(step * self.batch, (step + 1) * self.batch)
        starts = np.array([self._start(int(number)) for number in numbers])
        ids = np.stack([self._stream.take(int(start), self.context + 1) for start in starts])
        return WindowBatch(ids, starts, numbers, self.seed, self._stream)

    def epoch(self, step: int) -> float:
        """How many times the stream was gone through before `step`."""
        return step * self.batch / self.windows_per_epoch

    def _start(self, sample: int) -> int:
        epoch, place = divmod(sample, self.windows_per_epoch)
        offset, order = self._epoch(epoch)
        return (offset + int(order[place]) * self.context) % len(self._stream)

    def _shuffled(self, epoch: int) -> tuple[int, Ids]:
        """The offset and the order of the windows in an epoch.

        Sorting raw output of PCG64 instead of asking a Generator for a permutation: numpy promises to keep the former
        the same in every version.
        """
        source = np.random.PCG64(np.random.SeedSequence([self.seed, epoch]))
        offset = int(source.random_raw()) % len(self._stream)
        return offset, np.argsort(source.random_raw(self.windows_per_epoch), kind="stable")


def evaluation_windows(stream: TokenStream, context: int, batch: int) -> Iterator[tuple[Ids, Ids]]:
    """The whole side as (inputs, targets), both (rows, context); each token is a target exactly once.

    The first input is end_id, as before any document; a later window begins with the token before its first target.
    After the last token inputs are end_id and targets -100. The last batch may have fewer rows.
    """
    for first in range(0, len(stream), context * batch):
        count = min(context * batch, len(stream) - first)
        rows = -(-count // context)
        before = [stream.end_id] if first == 0 else stream.take(first - 1, 1)
        tokens = np.concatenate([before, stream.take(first, count)])
        inputs = np.full(rows * context, stream.end_id, dtype=np.int64)
        targets = np.full(rows * context, IGNORED, dtype=np.int64)
        inputs[:count], targets[:count] = tokens[:-1], tokens[1:]
        yield inputs.reshape(rows, context), targets.reshape(rows, context)
