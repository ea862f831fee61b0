"""What one thread encodes at a time: some parts of pieces, to the ids of each side as they are written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lmcli.corpus.leakage import Leakage
from lmcli.corpus.splits import Piece
from lmcli.tokens import layout
from lmcli.tokens.byte_pairs import Ids
from lmcli.tokens.encoders import Encoder, Ends
from lmcli.tokens.layout import Side
from lmcli.tokens.pretokenization import SEGMENT
from lmcli.tokens.sentence_positions import Locate, sentences_of
from lmcli.tokens.special import UNKNOWN
from lmcli.tokens.tokenizer import Tokenizer, valid_text

JOB_CHARACTERS = 1 << 17


@dataclass(frozen=True, slots=True)
class Part:
    """Some text of a piece, small enough to be encoded at once; `ends` after the last part of a document.

    `sentences` are the places in it, in characters, where a sentence ends.
    """

    text: str
    side: Side
    ends: bool
    sentences: Sequence[int] = ()


@dataclass(frozen=True)
class Coded:
    """What a job adds to a side: ids with an end token after each document, and positions in them.

    `document_ends` are positions just after an end token, `sentence_ends` just after the last token of a sentence.
    """

    side: Side
    ids: npt.NDArray[np.unsignedinteger]
    document_ends: Ends
    sentence_ends: Ends
    text_bytes: int
    unknown: int
    seen: Set[str] = frozenset()
    """Clauses of the validation side that stand in this text of the training side."""


@dataclass(frozen=True)
class Coder:
    """Encodes jobs; called from many threads. `locate` finds sentence ends among tokens, None where they aren't wanted.

    `leakage` looks for text of the validation side in that of the training side. `unknown_id` is the id of unknown
    characters; where `spelled`, the text may hold that character itself.
    """

    encoder: Encoder
    dtype: str
    end_id: int
    unknown_id: int | None
    spelled: bool
    locate: Locate | None
    leakage: Leakage | None

    @classmethod
    def of(cls, tokenizer: Tokenizer, encoder: Encoder, locate: Locate | None, leakage: Leakage | None) -> Coder:
        dtype = "<u2" if layout.dtype_for(tokenizer.vocab_size) == "uint16" else "<u4"
        spelled = tokenizer.unit == "characters"
        return cls(encoder, dtype, tokenizer.end_id, tokenizer.unknown_id, spelled, locate, leakage)

    def __call__(self, job: Sequence[Part]) -> list[Coded]:
        found = ((side, [part for part in job if part.side == side]) for side in layout.SIDES)
        return [self._coded(side, parts) for side, parts in found if parts]

    def _coded(self, side: Side, parts: list[Part]) -> Coded:
        texts = [part.text for part in parts]
        ids, ends = self.encoder.encode_all(texts)
        closing = np.array([part.ends for part in parts], dtype=np.bool_)
        closed = ends[closing]
        return Coded(
            side,
            np.insert(ids, closed, self.end_id).astype(self.dtype),
            closed + np.arange(1, len(closed) + 1),
            self._sentences(parts, ids, ends, np.cumsum(closing) - closing),
            sum(len(text) if text.isascii() else len(text.encode()) for text in texts),
            self._count_unknown(texts, ids),
            self._leaked(texts) if side == "train" else frozenset(),
        )

    def _leaked(self, texts: list[str]) -> Set[str]:
        return {clause for text in texts for clause in self.leakage.look(text)} if self.leakage else frozenset()

    def _sentences(self, parts: list[Part], ids: Ids, ends: Ends, closed_before: Ends) -> Ends:
        """Where sentences end among the ids with end tokens."""
        if self.locate is None:
            return np.empty(0, dtype=np.int64)
        starts = np.append(0, ends[:-1])
        found = [
            self.locate(part.text, ids[start:end], part.sentences) + (start + closed)
            for part, start, end, closed in zip(parts, starts, ends, closed_before, strict=True)
            if part.sentences
        ]
        return np.concatenate([np.empty(0, dtype=np.int64), *found])

    def _count_unknown(self, texts: list[str], ids: Ids) -> int:
        if self.unknown_id is None:
            return 0
        known = sum(text.count(UNKNOWN) for text in texts) if self.spelled else 0
        return int(np.count_nonzero(ids == self.unknown_id)) - known


def parts_of(pieces: Iterable[Piece], tokenizer: Tokenizer, *, sentences: bool = False) -> Iterator[Part]:
    """The pieces, cut where that changes no id."""
    for piece in pieces:
        text = valid_text(piece.text)
        ends = sentences_of(text) if sentences else ()
        if len(text) <= SEGMENT:
            yield Part(text, piece.side, piece.ends_document, ends)
            continue
        start = 0
        for part in tokenizer.parts(text):
            stop = start + len(part)
            inside = [end - start for end in ends if start < end <= stop] if ends else ()
            yield Part(part, piece.side, piece.ends_document and stop == len(text), inside)
            start = stop


def jobs_of(parts: Iterable[Part]) -> Iterator[list[Part]]:
    """Parts with about JOB_CHARACTERS together, in order."""
    job: list[Part] = []
    characters = 0
    for part in parts:
        job.append(part)
        characters += len(part.text)
        if characters >= JOB_CHARACTERS:
            yield job
            job, characters = [], 0
    if job:
        yield job
