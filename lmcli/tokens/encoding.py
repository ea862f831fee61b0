"""Encodes a corpus into shards of token ids; memory doesn't grow with the corpus."""

from __future__ import annotations

import array
import contextlib
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from lmcli.corpus.leakage import Leakage
from lmcli.corpus.splits import Piece
from lmcli.errors import InputError
from lmcli.progress import Progress
from lmcli.project import durable
from lmcli.tokens import layout
from lmcli.tokens.encoders import choose
from lmcli.tokens.jobs import Coded, Coder, Part, jobs_of, parts_of
from lmcli.tokens.layout import Index, Side, SideIndex
from lmcli.tokens.sentence_positions import locator
from lmcli.tokens.tokenizer import Tokenizer

SHARD_TOKENS = 1 << 27
HEAD_CHARACTERS = 1 << 22  # from which the sample for comparing encoders is drawn
JOBS_AHEAD = 4  # for each worker


@dataclass(frozen=True)
class TokensReport:
    """`unknown` counts characters that the vocabulary lacks; `encoder` is the code that ran, which changes no id.

    `leakage` is the part of the validation text in units half of which stands in training text, `copied` the part that
    stands there in any way (see `corpus.leakage`); None where that wasn't measured.
    """

    vocab_size: int
    dtype: str
    encoder: str
    sides: dict[Side, SideIndex]
    unknown: dict[Side, int]
    leakage: float | None = None
    copied: float | None = None


def encode(
    pieces: Iterable[Piece],
    tokenizer: Tokenizer,
    out: Path,
    *,
    workers: int,
    progress: Progress,
    size: int | None = None,
    sentences: bool = False,
    leakage: Leakage | None = None,
    shard_tokens: int = SHARD_TOKENS,
) -> TokensReport:
    """Encode `pieces` in their order, each side apart, and write the files that `layout` describes below `out`.

    `size` is the text in bytes, if known. With `sentences` the places where they end are written too. The files are the
    same for any number of `workers` (threads). `leakage` is shown the training text. InputError when the training side
    gets no token.
    """
    durable.mkdir(out)
    head, rest = _head(parts_of(pieces, tokenizer, sentences=sentences))
    encoder = choose(tokenizer, [part.text for part in head])
    coder = Coder.of(tokenizer, encoder, locator(tokenizer) if sentences else None, leakage)
    with contextlib.ExitStack() as stack:
        writers: dict[Side, _SideWriter] = {
            side: stack.enter_context(contextlib.closing(_SideWriter(out, side, shard_tokens, sentences)))
            for side in layout.SIDES
        }
        task = stack.enter_context(progress.task("encode", total=size, unit="B"))
        for coded in _coded(jobs_of(chain(head, rest)), coder, workers):
            task.advance(writers[coded.side].add(coded))
            if leakage:
                leakage.add(coded.seen)
        sides = {side: writer.finish() for side, writer in writers.items()}
    if not sides["train"].tokens:
        raise InputError("no text is left for training", "is the corpus empty?")
    index = Index(layout.dtype_for(tokenizer.vocab_size), tokenizer.vocab_size, tokenizer.end_id, sides)
    layout.write_index(out, index)
    unknown = {side: writer.unknown for side, writer in writers.items()}
    if any(unknown.values()):
        progress.warn(f"{sum(unknown.values())} characters are not in the vocabulary and were encoded as unknown")
    shares = (leakage.share, leakage.copied) if leakage else (None, None)
    return TokensReport(index.vocab_size, index.dtype, encoder.name, sides, unknown, *shares)


def _head(parts: Iterator[Part]) -> tuple[list[Part], Iterator[Part]]:
    """The first parts, some four million characters, and the rest."""
    head: list[Part] = []
    characters = 0
    for part in parts:
        head.append(part)
        characters += len(part.text)
        if characters >= HEAD_CHARACTERS:
            break
    return head, parts


def _coded(jobs: Iterable[list[Part]], coder: Coder, workers: int) -> Iterator[Coded]:
    """What becomes of the jobs, in order; a bounded number of jobs runs ahead."""
    with ThreadPoolExecutor(max(1, workers)) as pool:
        running: deque[Future[list[Coded]]] = deque()
        for job in jobs:
            running.append(pool.submit(coder, job))
            if len(running) > JOBS_AHEAD * max(1, workers):
                yield from running.popleft().result()
        while running:
            yield from running.popleft().result()


@dataclass
class _SideWriter:
    """Writes one side: whole shards of `shard_tokens` tokens, then the last one, then where documents end."""

    out: Path
    side: Side
    shard_tokens: int
    with_sentences: bool
    text_bytes: int = 0
    unknown: int = 0
    tokens: int = 0
    shards: list[int] = field(default_factory=list)
    _documents: array.array[int] = field(default_factory=lambda: array.array("Q"))
    _sentences: array.array[int] = field(default_factory=lambda: array.array("Q"))
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _file: BinaryIO | None = None

    def add(self, coded: Coded) -> int:
        """Write the ids. The bytes of the text that they stand for."""
        self.text_bytes += coded.text_bytes
        self.unknown += coded.unknown
        self._documents.frombytes((coded.document_ends + self.tokens).astype(np.uint64).tobytes())
        self._sentences.frombytes((coded.sentence_ends + self.tokens).astype(np.uint64).tobytes())
        self._write(coded.ids)
        return coded.text_bytes

    def _write(self, ids: npt.NDArray[np.unsignedinteger]) -> None:
        self.tokens += len(ids)
        while len(ids):
            if self._file is None or self.shards[-1] == self.shard_tokens:
                self._next_shard()
            assert self._file is not None
            room = self.shard_tokens - self.shards[-1]
            self._file.write(ids[:room].data)
            self.shards[-1] += len(ids[:room])
            ids = ids[room:]

    def _next_shard(self) -> None:
        self._open.close()
        path = layout.shard_path(self.out, self.side, len(self.shards))
        self._file = self._open.enter_context(durable.create(path))
        self.shards.append(0)

    def finish(self) -> SideIndex:
        """Close the last shard and write where documents, and sentences if wanted, end."""
        self.close()
        durable.write(layout.documents_path(self.out, self.side), _little_endian(self._documents))
        if self.with_sentences:
            durable.write(layout.sentences_path(self.out, self.side), _little_endian(self._sentences))
        sentences = len(self._sentences) if self.with_sentences else None
        return SideIndex(self.tokens, len(self._documents), self.text_bytes, tuple(self.shards), sentences)

    def close(self) -> None:
        self._open.close()
        self._file = None


def _little_endian(positions: array.array[int]) -> bytes:
    if sys.byteorder == "big":
        positions.byteswap()
    return positions.tobytes()
