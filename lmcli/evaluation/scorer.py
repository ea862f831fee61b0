"""Perplexities of single texts, for those who hand out text to many processes."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lmcli.evaluation.measuring import Subject

LONGEST = 20_000  # characters that a text is judged by


@dataclass(frozen=True)
class Perplexity:
    """Text to its perplexity for each token under the model of a directory: exp of the mean nats, end token included.

    A value that can be pickled: the model is loaded by the process that asks first. One text at a time, with one thread
    in float32 on the processor, so that the same text has the same figure in every process. A text longer than the
    context is cut into windows, and only its first `longest` characters count. NaN for a text without tokens.
    """

    directory: Path
    longest: int = LONGEST

    def __call__(self, text: str) -> float:
        from lmcli.evaluation.token_nats import token_nats
        from lmcli.evaluation.windows import document_windows
        from lmcli.progress import Silent
        from lmcli.tokens.windows import IGNORED

        subject = _subject(self.directory)
        ids = subject.tokenizer.encode(text[: self.longest])
        windows = document_windows(
            [(ids, len(text) <= self.longest)], subject.tokenizer.end_id, subject.context, batch=1
        )
        nats, tokens = 0.0, 0
        with _one_thread():
            for targets, found in token_nats(subject.decoder, windows, subject.compute, Silent()):
                nats += float(found.sum())
                tokens += int((targets != IGNORED).sum())
        if not ids:
            return math.nan
        return math.exp(min(nats / tokens, 700.0))


@functools.lru_cache(maxsize=1)
def _subject(directory: Path) -> Subject:
    from lmcli.evaluation.measuring import load
    from lmcli.models.config import ComputeConfig

    return load(directory, ComputeConfig(device="cpu", dtype="float32", threads=1))


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """Several threads add up in another order, which is enough to move a text over a threshold."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
