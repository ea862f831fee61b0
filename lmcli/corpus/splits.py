"""Training and validation text.

A document, or a block of one, goes to a side by the hash of its text and nothing else: not its name, place or order, so
that equal texts are never on both sides. Documents that are nearly the same, as `clean` has found, go by the smallest
hash among them. The units with the smallest hashes are for validation, as many as fit.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import xxhash

from lmcli.corpus.cutting import blocks
from lmcli.corpus.documents import Document
from lmcli.corpus.smallest import Smallest
from lmcli.errors import InputError

Side = Literal["train", "validation"]
Kind = Literal["auto", "hash", "tail"]

BLOCK = 16_000  # characters
SMALLEST_BLOCK = 200
FEWEST_BLOCKS = 20  # in a small corpus blocks shrink, until there are so many
SMALL = BLOCK * FEWEST_BLOCKS  # characters

FEW_DOCUMENTS = 200
LARGE_SHARE = 0.05  # of the characters: no document may be so large a part of a side

VALIDATION = 0.1
VALIDATION_LIMIT = 1_000_000  # characters: more would cost time and tell nothing new


@dataclass(frozen=True, slots=True)
class Piece:
    """Text of one side. Joined in order, the pieces of a document are exactly its text, and the last one ends it.

    `source` and `language` are those of the document.
    """

    text: str
    side: Side
    ends_document: bool
    source: str = ""
    language: str = ""


@dataclass(frozen=True)
class Plan:
    """How a corpus is split: by documents or blocks up to the hash `threshold`, or at character number `threshold`."""

    unit: Literal["document", "block", "tail"]
    threshold: int
    validation_characters: int
    characters: int
    block: int = BLOCK
    reason: str = ""

    def describe(self) -> str:
        """One line for people: what goes to validation, how much, and why so."""
        share = f"{self.validation_characters:,} of {self.characters:,} characters"
        percent = f"{100 * self.validation_characters / self.characters:.1f} %"
        how = {
            "document": "whole documents, chosen by hash",
            "block": f"blocks of about {self.block:,} characters, chosen by hash",
            "tail": "the end of the corpus",
        }[self.unit]
        return f"validation is {share} ({percent}): {how}" + (f"; {self.reason}" if self.reason else "")


@dataclass(frozen=True)
class Census:
    """What the first pass over a corpus counted; `plan` decides from it."""

    documents: int
    characters: int
    largest: int
    by_document: Smallest
    by_block: Smallest
    block: int
    bytes: int = 0
    """UTF-8 bytes of all documents."""

    def held_out(self, plan: Plan) -> list[str]:
        """The texts of the validation side, about the first million characters; none when it is the end of the text.

        Of a long document only the first part.
        """
        units = {"document": self.by_document, "block": self.by_block, "tail": None}[plan.unit]
        return units.texts(plan.threshold) if units else []

    def plan(self, kind: Kind) -> Plan:
        """Where to split. Neither side is ever empty. Raises InputError for a corpus of less than two characters."""
        if self.characters < 2:
            raise InputError(f"the corpus has {self.characters} characters of text: nothing to learn from")
        if kind == "tail":
            return self._tail("")
        whole = self.documents >= FEW_DOCUMENTS and self.largest <= LARGE_SHARE * self.characters
        if kind == "hash" or whole:
            plan = self._hashed("document", self.by_document)
            if plan is None and kind == "hash":
                raise InputError("a split by document needs two different documents", 'use split = "auto"')
        else:
            plan = self._hashed("block", self.by_block)
        return plan or self._tail("there are no two different parts to choose from")

    def _hashed(self, unit: Literal["document", "block"], units: Smallest) -> Plan | None:
        wanted = min(round(VALIDATION * self.characters), VALIDATION_LIMIT)
        found = units.threshold(wanted)
        if found is None:
            return None
        reasons = []
        if unit == "block" and self.block < BLOCK:
            reasons.append(f"blocks are smaller than {BLOCK:,} characters because the corpus is small")
        if wanted == VALIDATION_LIMIT:
            reasons.append(f"{VALIDATION_LIMIT:,} characters are enough to measure with")
        return Plan(unit, found[0], found[1], self.characters, self.block, "; ".join(reasons))

    def _tail(self, reason: str) -> Plan:
        # int(n * 0.9) is the split of nanoGPT's data scripts, so that its losses can be compared with.
        train = min(max(int(self.characters * 0.9), 1), self.characters - 1)
        return Plan("tail", train, self.characters - train, self.characters, reason=reason)


def census(documents: Iterable[Document]) -> Census:
    """The first pass. Memory doesn't grow with the corpus."""
    counts = _Counts()
    for document in documents:
        counts.add(document)
    return counts.census()


class _Counts:
    """The first pass, so far."""

    def __init__(self) -> None:
        self._by_document, self._by_block = Smallest(), Smallest()
        self._small: list[str] | None = []  # the whole text, as long as the corpus is small
        self._documents = self._characters = self._largest = self._bytes = 0
        self._first: tuple[int, str] | None = None  # hash and text of the first part of this document
        self._length = 0  # characters of it so far

    def add(self, document: Document) -> None:
        text = document.text
        data = text.encode()
        digest = xxhash.xxh3_64_intdigest(data)
        if self._first is None:
            self._first = (digest if document.group is None else document.group, text)
        self._length += len(text)
        self._characters += len(text)
        self._bytes += len(data)
        for block in blocks(text, BLOCK):
            self._by_block.add(digest if len(block) == len(text) else _digest(block), len(block), block)
        self._remember(text)
        if document.ends:
            self._documents += 1
            self._by_document.add(self._first[0], self._length, self._first[1])
            self._largest = max(self._largest, self._length)
            self._first, self._length = None, 0

    def _remember(self, text: str) -> None:
        if self._small is not None:
            self._small.append(text)
            if self._characters >= SMALL:
                self._small = None

    def census(self) -> Census:
        size, by_block = BLOCK, self._by_block
        if self._small is not None:
            size, by_block = max(SMALLEST_BLOCK, self._characters // FEWEST_BLOCKS), Smallest()
            for block in (block for text in self._small for block in blocks(text, size)):
                by_block.add(_digest(block), len(block), block)
        return Census(self._documents, self._characters, self._largest, self._by_document, by_block, size, self._bytes)


def pieces(documents: Iterable[Document], counted: Census, kind: Kind) -> Iterator[Piece]:
    """The second pass: the same documents, cut and sent to their sides.

    Raises InputError when they aren't the documents that were counted.
    """
    plan = counted.plan(kind)
    place, side = 0, None
    for document in documents:
        if plan.unit == "tail":
            yield from _before_and_after(document, plan.threshold - place)
        elif plan.unit == "block":
            yield from _blocks(document, plan)
        else:
            side = side or _side_of(document, plan)  # the first part of a long document decides for all
            yield _piece(document, document.text, side, document.ends)
            side = None if document.ends else side
        place += len(document.text)
    if place != counted.characters:
        raise InputError("the corpus changed while it was read", "run the command again when nothing writes to it")


def _piece(document: Document, text: str, side: Side, ends: bool) -> Piece:
    return Piece(text, side, ends, document.source, document.language)


def _before_and_after(document: Document, cut: int) -> Iterator[Piece]:
    before, after = document.text[: max(cut, 0)], document.text[max(cut, 0) :]
    if before:
        yield _piece(document, before, "train", document.ends and not after)
    if after:
        yield _piece(document, after, "validation", document.ends)


def _blocks(document: Document, plan: Plan) -> Iterator[Piece]:
    remaining = len(document.text)
    for block in blocks(document.text, plan.block):
        remaining -= len(block)
        yield _piece(document, block, _side(_digest(block), plan), document.ends and not remaining)


def _side_of(document: Document, plan: Plan) -> Side:
    return _side(_digest(document.text) if document.group is None else document.group, plan)


def _side(digest: int, plan: Plan) -> Side:
    return "validation" if digest <= plan.threshold else "train"


def _digest(text: str) -> int:
    return xxhash.xxh3_64_intdigest(text.encode())
