"""An embedding that begins with word vectors from a file."""

from __future__ import annotations

import codecs
import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from lmcli.corpus.compression import chunks
from lmcli.errors import ConfigError, InputError
from lmcli.models.model import Model
from lmcli.tokens.tokenizer import Tokenizer

LONGEST_LINE = 1 << 20
"""Bytes; 300 numbers take about 3,000."""
WORD_STARTS = (" ", "▁", "Ġ")
"""Signs with which a token says that a word begins: of bpe, of unigram as SentencePiece has it, of raw bpe."""
_HINT = "word2vec's or GloVe's text format: on each line a word and its numbers"


@dataclass(eq=False)
class Vectors:
    """The vectors (n, d) of the tokens `ids` (n,), as the file has them, and the count of those that it lacks."""

    ids: npt.NDArray[np.int64]
    values: npt.NDArray[np.float32]
    missing: int

    @property
    def counts(self) -> dict[str, int]:
        return {"found": len(self.ids), "missing": self.missing}

    def __str__(self) -> str:
        found, all_ = len(self.ids), len(self.ids) + self.missing
        return f"{found:,} of {all_:,} tokens ({found / max(1, all_):.1%}) begin with a vector of the file"


@dataclass
class _Line:
    number: int
    text: bytes
    path: Path

    def wrong(self, what: str) -> InputError:
        return InputError(f"{self.path}:{self.number}: {what}", _HINT)


@dataclass
class _Wanted:
    """Spelling -> the tokens spelled so; as they are, and without the sign of a word's start."""

    exact: dict[str, list[int]] = field(default_factory=dict)
    bare: dict[str, list[int]] = field(default_factory=dict)

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> _Wanted:
        wanted = cls()
        for token, text in spellings(tokenizer).items():
            wanted.exact.setdefault(text, []).append(token)
            if text.startswith(WORD_STARTS) and len(text) > 1:
                wanted.bare.setdefault(text[1:], []).append(token)
        return wanted

    @property
    def tokens(self) -> int:
        return sum(map(len, self.exact.values()))


def spellings(tokenizer: Tokenizer) -> Mapping[int, str]:
    """The text of each token that stands for text; as the vocabulary has it where decoding does more than joining."""
    if tokenizer.token_texts is not None:
        return {token: text for token, raw in enumerate(tokenizer.token_texts) if (text := _decoded(raw))}
    known = tokenizer.backend.get_vocab(with_added_tokens=True)
    return {token: text for text, token in known.items() if token not in tokenizer.special_ids}


def _decoded(raw: bytes) -> str:
    """Nothing for what is but a part of a character."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return ""


def read_vectors(path: Path, tokenizer: Tokenizer, width: int) -> Vectors:
    """The vectors of the tokenizer's tokens; of the rest of the file nothing is kept, however long it is.

    A file may begin with a line of two numbers, how many words there are and of what size, and may be packed (.gz and
    others). A token has the vector of the word that it spells, else of that which it spells without the sign of a
    word's start; the first of several lines with one word counts. The numbers of other words aren't looked at.
    Raises InputError with the line for what can't be read, and ConfigError for vectors of another size than `width`.
    """
    wanted = _Wanted.of(tokenizer)
    found: dict[int, npt.NDArray[np.float32]] = {}
    spelled: set[int] = set()
    lines = _lines(path)
    first = next(lines, None)
    if first is None:
        raise InputError(f"{path} is empty", _HINT)
    promised, size = _header(first)
    _check_size(path, size, width)
    words = 0
    for line in _with_first(lines, None if promised is not None else first):
        words += 1
        word, numbers = _split(line, size)
        exact, bare = wanted.exact.get(word, []), wanted.bare.get(word, [])
        if not exact and not bare:
            continue
        values = _values(line, numbers)
        found.update({token: values for token in bare if token not in found})
        found.update({token: values for token in exact if token not in spelled})
        spelled.update(exact)
    if promised is not None and words != promised:
        message = f"{path} has {words} words, and its first line says {promised}"
        raise InputError(message, "copy it again: it was cut short, or joined of several")
    ids = sorted(found)
    values = np.stack([found[token] for token in ids]) if ids else np.zeros((0, size), np.float32)
    return Vectors(np.array(ids, dtype=np.int64), values, wanted.tokens - len(ids))


@torch.no_grad()
def begin_with(model: Model, vectors: Vectors) -> None:
    """Put the vectors in the place of rows that were drawn.

    All are multiplied by one number, which gives them together the root mean square of the embedding as it was drawn:
    their directions and relative lengths stay, and the family learns at the scale that it is made for.
    """
    if not len(vectors.ids):
        return
    table = model.embedding
    values = torch.from_numpy(vectors.values)
    size = values.double().square().mean().sqrt().item()
    drawn = table.double().square().mean().sqrt().item()
    if size:
        table[torch.from_numpy(vectors.ids).to(table.device)] = (values * (drawn / size)).to(table)


def _with_first(lines: Iterator[_Line], first: _Line | None) -> Iterator[_Line]:
    if first is not None:
        yield first
    yield from lines


def _lines(path: Path) -> Iterator[_Line]:
    """The lines that aren't empty."""
    number, rest = 0, b""
    for chunk in chunks(path):
        *whole, rest = (rest + chunk).split(b"\n")
        for text in whole:
            number += 1
            if len(text) > LONGEST_LINE:
                raise _Line(number, b"", path).wrong(f"a line of {len(text)} bytes")
            if text.strip():
                yield _Line(number, text, path)
        if len(rest) > LONGEST_LINE:
            raise _Line(number + 1, b"", path).wrong(f"a line of more than {LONGEST_LINE} bytes")
    if rest.strip():
        yield _Line(number + 1, rest, path)


def _header(line: _Line) -> tuple[int | None, int]:
    """How many words a first line promises (None where it is a word itself), and the size of vectors."""
    fields = line.text.removeprefix(codecs.BOM_UTF8).split()
    if len(fields) == 2 and fields[0].isdigit() and fields[1].isdigit():
        return int(fields[0]), int(fields[1])
    size = len(fields) - 1
    if size < 1 or not all(map(_is_number, fields[1:])):
        raise line.wrong("no word with its numbers")
    return None, size


def _check_size(path: Path, size: int, width: int) -> None:
    if size != width:
        message = f"the vectors of {path} have {size} numbers, and the rows of the embedding {width}"
        raise ConfigError(message, f"set model.width = {size} (model.embedding_width where a family has it)")


def _split(line: _Line, size: int) -> tuple[str, list[bytes]]:
    """The word, which may hold spaces, and its numbers. Bytes that are no text spell no token."""
    word, *numbers = line.text.replace(b"\t", b" ").strip(b" \r").rsplit(b" ", size)
    if len(numbers) != size or not word:
        raise line.wrong(f"{len(numbers)} numbers after the word, where {size} are expected")
    last = word.rsplit(b" ", 1)
    if len(last) == 2 and b"." in last[1] and _is_number(last[1]):
        raise line.wrong(f"more than {size} numbers after the word")
    return word.removeprefix(codecs.BOM_UTF8).decode(errors="surrogateescape"), numbers


def _values(line: _Line, numbers: list[bytes]) -> npt.NDArray[np.float32]:
    with contextlib.suppress(ValueError), np.errstate(over="ignore"):
        values = np.array([float(number) for number in numbers], dtype=np.float32)
        if np.isfinite(values).all():
            return values
    raise line.wrong("something else than finite numbers after the word")


def _is_number(text: bytes) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
