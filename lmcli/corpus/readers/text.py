"""txt, md and html: a file is a document."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import TYPE_CHECKING

from lmcli.corpus.cutting import cut_before
from lmcli.corpus.documents import Document
from lmcli.corpus.encoding import MARK
from lmcli.corpus.tally import Tally

if TYPE_CHECKING:
    from lmcli.corpus.reading import Reading
    from lmcli.corpus.sources import Source

PART = 4_000_000  # characters; longer documents arrive in parts


def read(source: Source, reading: Reading) -> Iterator[Document]:
    """The file's text; parts of a long one are cut at paragraph ends."""
    if reading.config.encoding_errors == "drop" and _has_marks(source, reading):
        reading.tally.dropped["encoding"] += 1
        return
    part = ""
    for text in _parts(reading.text(source)):
        if part:
            yield Document(source.label, _settled(part, reading), ends=False)
        part = text
    yield Document(source.label, _settled(part, reading))


def _has_marks(source: Source, reading: Reading) -> bool:
    quiet = dataclasses.replace(reading, tally=Tally(), advance=lambda amount: None)
    return any(MARK in text for text in quiet.text(source))


def _settled(text: str, reading: Reading) -> str:
    settled = reading.settle(text)
    assert settled is not None, "files with marks were dropped before"
    return settled


def _parts(texts: Iterator[str]) -> Iterator[str]:
    waiting: list[str] = []
    size = 0
    for text in texts:
        waiting.append(text)
        size += len(text)
        if size > PART:
            joined = "".join(waiting)
            end = cut_before(joined, PART // 2, PART)
            yield joined[:end]
            waiting, size = [joined[end:]], len(joined) - end
    if size:
        yield "".join(waiting)
