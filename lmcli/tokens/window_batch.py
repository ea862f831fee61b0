"""Windows of one step with all that a corruption of them may depend on: their place in the text, and random numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from lmcli.errors import ConfigError
from lmcli.tokens.shards import TokenStream

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class WindowBatch:
    """`ids` (B, T + 1) from the positions `starts` (B,) of the stream on; `numbers` (B,) count all windows of a run.

    Two batches with the same stream, seed and numbers are corrupted alike, however windows are cut into batches.
    """

    ids: Ids
    starts: Ids
    numbers: Ids
    seed: int
    stream: TokenStream

    def __len__(self) -> int:
        return len(self.ids)

    @classmethod
    def of_side(cls, stream: TokenStream, context: int, rows: int) -> Iterator[WindowBatch]:
        """A whole side, window after window, without a rest shorter than one; the same each time."""
        count = max(1, len(stream) // context)
        for first in range(0, count, rows):
            numbers = np.arange(first, min(first + rows, count))
            starts = numbers * context
            ids = np.stack([stream.take(int(start), context + 1) for start in starts])
            yield cls(ids, starts, numbers, 0, stream)

    def cut(self, rows: int) -> Iterator[WindowBatch]:
        """The same windows, `rows` at once."""
        for first in range(0, len(self), rows):
            yield self.only(slice(first, first + rows))

    def only(self, chosen: slice | npt.NDArray[np.bool_]) -> WindowBatch:
        """Some of the windows."""
        return replace(self, ids=self.ids[chosen], starts=self.starts[chosen], numbers=self.numbers[chosen])

    def rng(self, row: int) -> np.random.Generator:
        """What is random about a window: of its own, so that it doesn't matter which windows come beside it."""
        return np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, int(self.numbers[row])])))

    def sentence_ends(self, row: int) -> Ids:
        """Ascending places in a window, from 1 to T + 1, just after the last token of a sentence.

        Raises ConfigError where the corpus was encoded without them.
        """
        if self.stream.sentence_ends is None:
            message = "this objective needs to know where sentences end, and the tokens were made without that"
            raise ConfigError(message, "set `sentences = true` under [tokens] and run `lmcli tokenize` again")
        return self._within(self.stream.sentence_ends, row)

    def document_ends(self, row: int) -> Ids:
        """Ascending places in a window, from 1 to T + 1, just after the end token of a document."""
        return self._within(self.stream.document_ends, row)

    def elsewhere(self, rng: np.random.Generator, length: int) -> Ids:
        """`length` tokens from a random place of the stream."""
        return self.stream.take(int(rng.integers(len(self.stream))), length)

    def _within(self, ends: npt.NDArray[np.uint64], row: int) -> Ids:
        """The stream is a circle, and a window may reach over its end, more than once in a tiny text."""
        start, length, size = int(self.starts[row]), self.ids.shape[1], len(self.stream)
        found: list[Ids] = []
        for turn in range((start + length - 1) // size + 1):
            first, last = np.searchsorted(ends, [start - turn * size, start + length - turn * size], side="right")
            found.append(ends[first:last].astype(np.int64) + turn * size - start)
        return np.concatenate(found)
