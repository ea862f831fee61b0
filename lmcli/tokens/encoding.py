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

from lmcli.corpus.splits import Piece
from lmcli.errors import InputError
from lmcli.progress import Progress
from lmcli.project import durable
from lmcli.tokens import layout
from lmcli.tokens.encoders import Encoder, Ids, choose
from lmcli.tokens.layout import Index, Side, SideIndex
from lmcli.tokens.special import UNKNOWN
from lmcli.tokens.tokenizer import Tokenizer, valid_text

SHARD_TOKENS = 1 << 27
HEAD_CHARACTERS = 1 << 24  # from which the sample for comparing encoders is drawn
JOB_CHARACTERS = 1 << 17
JOBS_AHEAD = 4  # for each worker


@dataclass(frozen=True)
class TokensReport:
    """`unknown` counts characters that the vocabulary lacks; `encoder` is the code that ran, which changes no id."""

    vocab_size: int
    dtype: str
    encoder: str
    sides: dict[Side, SideIndex]
    unknown: dict[Side, int]


@dataclass(frozen=True)
class _Part:
    """Some text of a piece, small enough to be encoded at once; `ends` after the last part of a document."""

    text: str
    side: Side
    ends: bool


def encode(
    pieces: Iterable[Piece],
    tokenizer: Tokenizer,
    out: Path,
    *,
    workers: int,
    progress: Progress,
    size: int | None = None,
    shard_tokens: int = SHARD_TOKENS,
) -> TokensReport:
    """Encode `pieces` in their order, each side apart, and write the files that `layout` describes below `out`.

    `size` is the text in bytes, if known. The files are the same for any number of `workers` (threads). InputError when
    the training side gets no token.
    """
    durable.mkdir(out)
    head, parts = _head(_parts(pieces, tokenizer))
    encoder = choose(tokenizer, [part.text for part in head])
    with contextlib.ExitStack() as stack:
        writers: dict[Side, _SideWriter] = {
            side: stack.enter_context(contextlib.closing(_SideWriter(out, side, tokenizer, shard_tokens)))
            for side in layout.SIDES
        }
        task = stack.enter_context(progress.task("encode", total=size, unit="B"))
        for part, ids in _encoded(chain(head, parts), encoder, workers):
            task.advance(writers[part.side].add(part, ids))
        sides = {side: writer.finish() for side, writer in writers.items()}
    if not sides["train"].tokens:
        raise InputError("no text is left for training", "is the corpus empty?")
    index = Index(layout.dtype_for(tokenizer.vocab_size), tokenizer.vocab_size, tokenizer.end_id, sides)
    layout.write_index(out, index)
    unknown = {side: writer.unknown for side, writer in writers.items()}
    if any(unknown.values()):
        progress.warn(f"{sum(unknown.values())} characters are not in the vocabulary and were encoded as unknown")
    return TokensReport(index.vocab_size, index.dtype, encoder.name, sides, unknown)


def _parts(pieces: Iterable[Piece], tokenizer: Tokenizer) -> Iterator[_Part]:
    for piece in pieces:
        before = None
        for text in tokenizer.parts(valid_text(piece.text)):
            if before is not None:
                yield _Part(before, piece.side, ends=False)
            before = text
        yield _Part(before or "", piece.side, piece.ends_document)


def _head(parts: Iterator[_Part]) -> tuple[list[_Part], Iterator[_Part]]:
    """The first parts, some 16 million characters, and the rest."""
    head: list[_Part] = []
    characters = 0
    for part in parts:
        head.append(part)
        characters += len(part.text)
        if characters >= HEAD_CHARACTERS:
            break
    return head, parts


def _encoded(parts: Iterable[_Part], encoder: Encoder, workers: int) -> Iterator[tuple[_Part, Ids]]:
    """Each part with its ids, in order; a bounded number of jobs runs ahead."""

    def work(job: list[_Part]) -> list[Ids]:
        return [encoder.encode(part.text) for part in job]

    with ThreadPoolExecutor(max(1, workers)) as pool:
        running: deque[tuple[list[_Part], Future[list[Ids]]]] = deque()
        for job in _jobs(parts):
            running.append((job, pool.submit(work, job)))
            if len(running) > JOBS_AHEAD * max(1, workers):
                done, future = running.popleft()
                yield from zip(done, future.result(), strict=True)
        for done, future in running:
            yield from zip(done, future.result(), strict=True)


def _jobs(parts: Iterable[_Part]) -> Iterator[list[_Part]]:
    job: list[_Part] = []
    characters = 0
    for part in parts:
        job.append(part)
        characters += len(part.text)
        if characters >= JOB_CHARACTERS:
            yield job
            job, characters = [], 0
    if job:
        yield job


@dataclass
class _SideWriter:
    """Writes one side: whole shards of `shard_tokens` tokens, then the last one, then the ends of the documents."""

    out: Path
    side: Side
    tokenizer: Tokenizer
    shard_tokens: int
    text_bytes: int = 0
    unknown: int = 0
    shards: list[int] = field(default_factory=list)
    _ends: array.array[int] = field(default_factory=lambda: array.array("Q"))
    _open: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)
    _file: BinaryIO | None = None

    @property
    def tokens(self) -> int:
        return sum(self.shards)

    def add(self, part: _Part, ids: Ids) -> int:
        """Write the ids, and the end token where a document ends. The bytes of the text."""
        size = len(part.text.encode())
        self.text_bytes += size
        self.unknown += self._count_unknown(part.text, ids)
        self._write(np.append(ids, np.uint32(self.tokenizer.end_id)) if part.ends else ids)
        if part.ends:
            self._ends.append(self.tokens)
        return size

    def _count_unknown(self, text: str, ids: Ids) -> int:
        unknown = self.tokenizer.unknown_id
        if unknown is None:
            return 0
        known = text.count(UNKNOWN) if self.tokenizer.unit == "characters" else 0
        return int(np.count_nonzero(ids == unknown)) - known

    def _write(self, ids: Ids) -> None:
        data = ids.astype("<u2" if layout.dtype_for(self.tokenizer.vocab_size) == "uint16" else "<u4")
        while len(data):
            if self._file is None or self.shards[-1] == self.shard_tokens:
                self._next_shard()
            assert self._file is not None
            room = self.shard_tokens - self.shards[-1]
            self._file.write(data[:room].tobytes())
            self.shards[-1] += len(data[:room])
            data = data[room:]

    def _next_shard(self) -> None:
        self._open.close()
        path = layout.shard_path(self.out, self.side, len(self.shards))
        self._file = self._open.enter_context(durable.create(path))
        self.shards.append(0)

    def finish(self) -> SideIndex:
        """Close the last shard and write the ends of the documents."""
        self.close()
        if sys.byteorder == "big":
            self._ends.byteswap()
        durable.write(layout.documents_path(self.out, self.side), self._ends.tobytes())
        return SideIndex(self.tokens, len(self._ends), self.text_bytes, tuple(self.shards))

    def close(self) -> None:
        self._open.close()
        self._file = None
