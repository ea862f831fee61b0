"""A corpus whose parts (sources or languages) get the shares of the training tokens that a user wants.

Each document of a part that is to be written r times is written floor(r) or ceil(r) times: whichever brings the bytes
written so far nearer to r times those that came by. So a part of few documents, large and small, gets its share to
within one document. The order is that of the corpus, whatever the number of workers. Validation text is what it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from lmcli.corpus.splits import Piece
from lmcli.errors import InputError

OTHERS = "*"
SAMPLE = 1_000_000  # characters of a part, to measure how many bytes a token has


@dataclass(frozen=True)
class Mixture:
    """The wanted shares of the training tokens, relative to each other, by source or language; `*` is all others."""

    by: Literal["source", "language"]
    shares: Mapping[str, float]
    max_repeats: float = 4.0

    def name_of(self, piece: Piece) -> str:
        """The part of the mixture that a piece belongs to. InputError where the mixture says nothing about it."""
        name = piece.source if self.by == "source" else piece.language
        if name in self.shares:
            return name
        if OTHERS in self.shares:
            return OTHERS
        what = f"the {self.by} {name}" if name else f"text without a {self.by}"
        hint = f'give it a share, or all others together: "{OTHERS}" = 0.1'
        raise InputError(f"the mixture says nothing about {what}", hint)


@dataclass
class Part:
    """What there is of one part on the training side, and a sample of it."""

    documents: int = 0
    bytes: int = 0
    sample: list[str] = field(default_factory=list)
    sampled: int = 0  # characters

    def add(self, piece: Piece) -> None:
        self.documents += piece.ends_document
        self.bytes += len(piece.text) if piece.text.isascii() else len(piece.text.encode())
        if self.sampled < SAMPLE:
            self.sample.append(piece.text[: SAMPLE - self.sampled])
            self.sampled += len(self.sample[-1])


@dataclass(frozen=True)
class Share:
    """What becomes of one part: `tokens` there are, and how often each document is written, on average."""

    documents: int
    tokens: float
    wanted: float
    reached: float
    repeats: float


def parts(pieces: Iterable[Piece], mixture: Mixture) -> dict[str, Part]:
    """The training side by the names of the mixture; memory is bounded."""
    found = {name: Part() for name in sorted(mixture.shares)}
    for piece in pieces:
        if piece.side == "train":
            found[mixture.name_of(piece)].add(piece)
    return found


def plan(mixture: Mixture, tokens: Mapping[str, float], documents: Mapping[str, int]) -> dict[str, Share]:
    """How often the documents of each part are written, from the training tokens that there are of each.

    All tokens together stay as many as they are, as long as no part would have to be repeated more than
    `max_repeats` times; what such a part can't give is shared by the others as they share the rest.
    """
    present = {name: share for name, share in mixture.shares.items() if tokens[name]}
    total = sum(tokens.values())
    repeats = dict.fromkeys(tokens, 0.0)
    open_parts, budget = dict(present), total
    while any(open_parts.values()):
        shares = sum(open_parts.values())
        repeats.update({name: share / shares * budget / tokens[name] for name, share in open_parts.items()})
        scarce = [name for name in open_parts if repeats[name] > mixture.max_repeats]
        if not scarce:
            break
        for name in scarce:
            repeats[name] = mixture.max_repeats
            budget -= repeats[name] * tokens[name]
            del open_parts[name]
    written = sum(repeats[name] * tokens[name] for name in tokens)
    wanted = sum(mixture.shares.values())
    return {
        name: Share(
            documents[name],
            tokens[name],
            mixture.shares[name] / wanted,
            repeats[name] * tokens[name] / written if written else 0.0,
            repeats[name],
        )
        for name in sorted(tokens)
    }


def written(pieces: Iterable[Piece], mixture: Mixture, shares: Mapping[str, Share]) -> Iterator[Piece]:
    """The pieces of each document, those of the training side as often as its part of the mixture says."""
    owed = {name: Owed(share.repeats) for name, share in shares.items()}
    document: list[Piece] = []
    for piece in pieces:
        document.append(piece)
        if piece.ends_document:
            yield from _copies(document, mixture, owed)
            document = []
    yield from _copies(document, mixture, owed)


def _copies(document: list[Piece], mixture: Mixture, owed: Mapping[str, Owed]) -> Iterator[Piece]:
    train = [piece for piece in document if piece.side == "train"]
    if not train:
        yield from document
        return
    count = owed[mixture.name_of(train[0])].copies(sum(len(piece.text.encode()) for piece in train))
    if count > 1:  # each copy is a document, also where the last block of the text is held out
        last = replace(train[-1], ends_document=True)
        document = [last if piece is train[-1] else piece for piece in document]
        train[-1] = last
    yield from (piece for piece in document if count or piece.side == "validation")
    for _ in range(count - 1):
        yield from train


@dataclass
class Owed:
    """Bytes of a part that should have been written by now, `repeats` times all that came by, and were not."""

    repeats: float
    bytes: float = 0.0

    def copies(self, size: int) -> int:
        """How often a document of `size` bytes is written: `repeats` rounded down, or up where that is nearer."""
        certain = int(self.repeats)
        self.bytes += (self.repeats - certain) * size
        again = self.bytes >= size / 2 and self.repeats > certain
        self.bytes -= again * size
        return certain + again


def describe(mixture: Mixture, shares: Mapping[str, Share]) -> list[str]:
    """A line for each part, and one where the wanted shares were out of reach."""
    lines = [
        f"{mixture.by} {name}: {share.documents:,} documents, {round(share.tokens):,} tokens, wanted "
        f"{share.wanted:.1%}, reached {share.reached:.1%}, written {share.repeats:.2f} times"
        for name, share in shares.items()
    ]
    limited = [name for name, share in shares.items() if share.repeats >= mixture.max_repeats]
    if limited:
        lines.append(f"there is too little of {', '.join(limited)}: repeated at most {mixture.max_repeats:g} times")
    absent = [name for name, share in shares.items() if not share.tokens and share.wanted]
    if absent:
        lines.append(f"there is no training text of {', '.join(absent)}")
    return lines
