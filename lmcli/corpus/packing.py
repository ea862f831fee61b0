"""Documents between the two halves of `clean`: chunks of them, packed by the processes that made them.

A file of chunks is, for each, the size of what follows (8 bytes, little-endian) and a zstd frame. In the frame stand a
line of JSON, with id, drop, source, language and bytes of text of every document, and the texts one after the other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import zstandard

from lmcli.errors import ArtifactError

LEVEL = 1  # the file lives for minutes: the fastest


class Packed(NamedTuple):
    """A document after the filters; `drop` is why one of them dropped it, or ""."""

    id: str
    text: str
    drop: str
    source: str
    language: str


def pack(documents: Sequence[Packed]) -> bytes:
    """A chunk, its size in front."""
    texts = [document.text.encode() for document in documents]
    about = [
        (document.id, document.drop, document.source, document.language, len(text))
        for document, text in zip(documents, texts, strict=True)
    ]
    frame = zstandard.ZstdCompressor(level=LEVEL).compress(json.dumps(about).encode() + b"\n" + b"".join(texts))
    return len(frame).to_bytes(8, "little") + frame


def unpack(path: Path) -> Iterator[Packed]:
    """The documents of a file of chunks, in order. Raises ArtifactError when it is damaged."""
    with path.open("rb") as file:
        while size := file.read(8):
            try:
                content = zstandard.ZstdDecompressor().decompress(file.read(int.from_bytes(size, "little")))
                yield from _documents(content)
            except (zstandard.ZstdError, ValueError) as error:
                raise ArtifactError(
                    f"{path} is damaged: {error}", "remove its folder and run the command again"
                ) from None


def _documents(content: bytes) -> Iterator[Packed]:
    head, _, _ = content.partition(b"\n")
    start = len(head) + 1
    for identity, drop, source, language, size in json.loads(head):
        yield Packed(identity, content[start : start + size].decode(), drop, source, language)
        start += size
