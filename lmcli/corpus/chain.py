"""What becomes of each document, decided by it alone. Worker processes import this file, so it is light."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xxhash

from lmcli.config import name_of
from lmcli.corpus.documents import Document, Drop
from lmcli.corpus.filters import FILTERS, Filter
from lmcli.corpus.packing import Packed, pack
from lmcli.corpus.signatures import MinHash

Lines = npt.NDArray[np.uint64]


@dataclass(frozen=True)
class Cleaned:
    """A chunk of documents after the filters: packed, with a record of `Chain.key` for each and hashes of their lines.

    `changed` counts the documents that each filter changed; bytes are UTF-8 bytes of text.
    """

    packed: bytes
    keys: npt.NDArray[np.void]
    lines: Lines
    bytes_in: int
    changed: Counter[str]


@dataclass(frozen=True)
class Chain:
    """All that is done to a document for its own sake; a pure function, so it doesn't matter which process calls it.

    `lines` is the length from which lines are hashed, 0 for none; without `near` documents get no signature.
    """

    filters: tuple[Filter, ...]
    min_characters: int = 1
    near: MinHash | None = None
    lines: int = 0
    with_language: bool = False

    @property
    def key(self) -> np.dtype[np.void]:
        """Of each document: was it dropped, the hash of its text, how many lines were hashed, its signature."""
        buckets = self.near.buckets if self.near else 0
        return np.dtype(
            [("dropped", "?"), ("signed", "?"), ("lines", "<u4"), ("digest", "<u8", 2), ("near", "<u8", buckets)]
        )

    def __call__(self, chunk: Sequence[Document]) -> Cleaned:
        changed = Counter[str]()
        documents = [self.clean(document, changed) for document in chunk]
        keys = np.zeros(len(documents), dtype=self.key)
        keys["dropped"] = [bool(document.drop) for document in documents]
        lines = [
            self._enter(keys[place : place + 1], document.text)
            for place, document in enumerate(documents)
            if not document.drop
        ]
        size = sum(len(document.text.encode()) for document in chunk)
        return Cleaned(pack(documents), keys, np.concatenate([_line_hashes("", 0), *lines]), size, changed)

    def clean(self, document: Document, changed: Counter[str]) -> Packed:
        """What the filters make of a document; `changed` counts those that change it."""
        text, drop = document.text, ""
        for entry in self.filters:
            result = entry.apply(text)
            if isinstance(result, Drop):
                drop = result.reason
                break
            if result != text:
                changed[f"{name_of(FILTERS, entry)}.changed"] += 1
            text = result
        if not drop and (not text or text.isspace()):
            drop = "empty"
        if not drop and len(text) < self.min_characters:
            drop = "short"
        language = self._language(text) if not drop else ""
        return Packed(document.id, text, drop, document.source, language)

    def _language(self, text: str) -> str:
        if not self.with_language:
            return ""
        from lmcli.corpus.language import detect

        return detect(text)[0]

    def _enter(self, key: npt.NDArray[np.void], text: str) -> Lines:
        digest = xxhash.xxh3_128_intdigest(text.encode())
        key["digest"] = (digest >> 64, digest & (2**64 - 1))
        signature = self.near.signature(text) if self.near else None
        if signature is not None:
            key["signed"], key["near"] = True, signature
        lines = _line_hashes(text, self.lines)
        key["lines"] = len(lines)
        return lines


def _line_hashes(text: str, length: int) -> Lines:
    found = [xxhash.xxh3_64_intdigest(line.encode()) for line in long_lines(text, length)] if length else []
    return np.array(found, dtype=np.uint64)


def long_lines(text: str, length: int) -> list[str]:
    """The lines of a text that count for duplicates, without the space around them."""
    return [line for line in map(str.strip, text.split("\n")) if len(line) >= length]
