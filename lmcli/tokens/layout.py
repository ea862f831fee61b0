"""The files of an encoded corpus.

tokens.json               what is there: format, dtype, vocabulary, and for each side tokens, documents, bytes, shards
train-00000.bin ...       ids, little-endian, in the order of the corpus; end_id after each document
train-documents.bin       for each document the position after its end_id, uint64, little-endian
train-sentences.bin       where asked for: for each sentence the position after its last token, in the same form
validation-...            the same
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from lmcli.errors import ArtifactError
from lmcli.project import durable

FORMAT = 1
INDEX = "tokens.json"
SIDES: tuple[Side, ...] = ("train", "validation")
HINT = "make it again: lmcli run tokens"

Side = Literal["train", "validation"]


@dataclass(frozen=True)
class SideIndex:
    """One side; `shards` are the numbers of tokens in its files, `text_bytes` counts UTF-8 without the end tokens.

    `sentences` is None where their ends weren't asked for.
    """

    tokens: int
    documents: int
    text_bytes: int
    shards: tuple[int, ...]
    sentences: int | None = None


@dataclass(frozen=True)
class Index:
    dtype: Literal["uint16", "uint32"]
    vocab_size: int
    end_id: int
    sides: dict[Side, SideIndex]


def dtype_for(vocab_size: int) -> Literal["uint16", "uint32"]:
    return "uint16" if vocab_size <= 1 << 16 else "uint32"


def shard_path(directory: Path, side: Side, number: int) -> Path:
    return directory / f"{side}-{number:05d}.bin"


def documents_path(directory: Path, side: Side) -> Path:
    return directory / f"{side}-documents.bin"


def sentences_path(directory: Path, side: Side) -> Path:
    return directory / f"{side}-sentences.bin"


def write_index(directory: Path, index: Index) -> None:
    document: dict[str, Any] = {"format": FORMAT, **asdict(index)}
    for entry in document["sides"].values():
        if entry["sentences"] is None:
            del entry["sentences"]
    durable.write(directory / INDEX, json.dumps(document, indent=2, sort_keys=True) + "\n")


def read_index(directory: Path) -> Index:
    """What tokens.json says. ArtifactError when it is missing, damaged or of a later format."""
    path = directory / INDEX
    try:
        document = json.loads(path.read_bytes())
        if document["format"] != FORMAT:
            raise ArtifactError(f"{path} has format {document['format']!r}, not {FORMAT}", HINT)
        return _decode(document)
    except FileNotFoundError:
        raise ArtifactError(f"there are no tokens at {directory}", HINT) from None
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError):
        raise ArtifactError(f"{path} is damaged", HINT) from None


def _decode(document: dict[str, Any]) -> Index:
    sides: dict[Side, SideIndex] = {}
    for side in SIDES:
        entry = document["sides"][side]
        shards = tuple(map(_count, entry["shards"]))
        tokens, documents, text_bytes = (_count(entry[key]) for key in ("tokens", "documents", "text_bytes"))
        if sum(shards) != tokens or 0 in shards:
            raise ValueError("shards and tokens differ")
        sentences = _count(entry["sentences"]) if "sentences" in entry else None
        sides[side] = SideIndex(tokens, documents, text_bytes, shards, sentences)
    vocab_size, end_id = _count(document["vocab_size"]), _count(document["end_id"])
    if end_id >= vocab_size or document["dtype"] != dtype_for(vocab_size):
        raise ValueError("impossible vocabulary")
    return Index(dtype_for(vocab_size), vocab_size, end_id, sides)


def _count(value: object) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("no count")
    return value
