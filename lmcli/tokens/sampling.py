"""The text that a tokenizer learns from: bounded, the same for the same corpus, and without endless words."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator

from lmcli.progress import Task

BLOCK = 1 << 16
LONGEST_WORD = 256
LONG_WORDS_BUDGET = 2_000_000
PROBE_BYTES = 1_000_000

_STEP = LONGEST_WORD // 2
_LONG = re.compile(rf"[^\W\d_]{{{_STEP},}}|(?:[^\w\s]|_){{{_STEP},}}|\s{{{_STEP},}}|[!-~]{{4096,}}")


class TrainingSample:
    """Iterates over the blocks to train on; afterwards the counters say what was taken and what left out.

    A corpus of `size` bytes above `limit` is sampled block by block. Words of more than 256 characters, and stretches
    of 4096 printable ASCII characters without a space (base64, minified code), are cut, and beyond two million
    characters left out: a trainer's time and memory grow with the number of different words, and these teach nothing.
    `probe` holds blocks from everywhere, about a megabyte, to measure afterwards how the vocabulary fits.
    """

    def __init__(self, texts: Iterable[str], size: int, limit: int, task: Task, seed: int = 0) -> None:
        self._texts = texts
        self._rate = min(1.0, limit / max(1, size))
        self._random = random.Random(seed)
        self._probed = random.Random(seed + 1)
        self._probe_rate = min(1.0, PROBE_BYTES / max(1, min(size, limit)))
        self._task = task
        self._budget = LONG_WORDS_BUDGET
        self.sampled_bytes = 0
        self.left_out_characters = 0
        self.probe: list[str] = []

    def __iter__(self) -> Iterator[str]:
        for text in self._texts:
            for start in range(0, len(text), BLOCK):
                block = text[start : start + BLOCK]
                size = len(block.encode())
                self._task.advance(size)
                if self._rate == 1.0 or self._random.random() < self._rate:
                    self.sampled_bytes += size
                    if self._probed.random() < self._probe_rate:
                        self.probe.append(block)
                    yield from self._without_long_words(block)

    def _without_long_words(self, text: str) -> Iterator[str]:
        start = place = 0
        while place < len(text):
            # A run of 256 characters covers one of the places looked at, and 128 characters after it.
            run = _LONG.match(text, place)
            if run is None:
                place += _STEP
                continue
            yield text[start:place]
            yield from self._cut(run.group())
            start = place = run.end()
        yield text[start:]

    def _cut(self, word: str) -> Iterator[str]:
        taken = word[: self._budget]
        self._budget -= len(taken)
        self.left_out_characters += len(word) - len(taken)
        for start in range(0, len(taken), LONGEST_WORD):
            yield taken[start : start + LONGEST_WORD]
