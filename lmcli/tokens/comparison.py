"""How well tokenizers fit a text: a doctor's table, the same text for each."""

from __future__ import annotations

import random
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lmcli.corpus.scripts import script
from lmcli.corpus.words import words
from lmcli.progress import Silent
from lmcli.tokens.adopting import adopt
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.tokenizer import Tokenizer, valid_text

SAMPLE_BYTES = 4_000_000
LONGEST_LINE = 1 << 12
MOST_LINES = 32
SHOWN = 5

_PARAGRAPH = re.compile(rf"[^\n]{{1,{LONGEST_LINE}}}(?:\n(?!\n)[^\n]{{0,{LONGEST_LINE}}}){{0,{MOST_LINES}}}+\n*|\n+")


@dataclass(frozen=True)
class Figures:
    """What a tokenizer makes of a text.

    `fertility` counts tokens for each word, `unused` is the share of the ordinary vocabulary that the text never needs,
    `unknown` counts tokens that stand for something unknown. Paragraphs that come back changed are `failures` of
    `paragraphs`, the first of them as (before, after) from a little before the first difference on.
    """

    name: str
    kind: str
    vocab_size: int
    text_bytes: int
    tokens: int
    words: int
    bytes_per_token: float
    bytes_per_token_by_script: dict[str, float]
    fertility: float
    unused: float
    unknown: int
    paragraphs: int
    failures: int
    first_failure: tuple[str, str] | None
    longest: tuple[str, ...]


@dataclass(frozen=True)
class Candidate:
    """A tokenizer under the name that it is shown by; `vocab_size` leaves out what was added for using it here."""

    name: str
    tokenizer: Tokenizer
    vocab_size: int


def load(name: str, source: Path) -> Candidate:
    """The tokenizer of a directory or a tokenizer.json; one without an end token is fine."""
    with tempfile.TemporaryDirectory(prefix="lmcli-") as folder:
        report = adopt(source, name, TokenizerConfig(), Path(folder), Silent())
        tokenizer = Tokenizer.load(Path(folder))
    return Candidate(name, tokenizer, tokenizer.vocab_size - len(report.added))


def sample(texts: Iterable[str], size: int, limit: int = SAMPLE_BYTES, seed: int = 0) -> list[str]:
    """Paragraphs of `texts`, which hold about `size` bytes: all of them, or `limit` bytes from everywhere."""
    chance, rate = random.Random(seed), min(1.0, limit / max(1, size))
    taken: list[str] = []
    room = limit
    for text in texts:
        for paragraph in paragraphs(valid_text(text)):
            if rate == 1.0 or chance.random() < rate:
                room -= len(paragraph.encode())
                if room < 0:
                    return taken
                taken.append(paragraph)
    return taken


def paragraphs(text: str) -> Iterator[str]:
    """The text, cut after empty lines, after 32 lines and after 4096 characters of a line."""
    return (found.group() for found in _PARAGRAPH.finditer(text))


def compare(candidates: Sequence[Candidate], texts: Sequence[str]) -> list[Figures]:
    """The figures of each tokenizer on the same paragraphs, each of which is encoded alone."""
    scripts = [script(text) for text in texts]
    count = sum(len(words(text)) for text in texts)
    sizes = [len(text.encode()) for text in texts]
    return [_figures(candidate, texts, scripts, sizes, count) for candidate in candidates]


def _figures(
    candidate: Candidate, texts: Sequence[str], scripts: Sequence[str], sizes: Sequence[int], count: int
) -> Figures:
    tokenizer = candidate.tokenizer
    used, read, made = Counter[int](), Counter[str](), Counter[str]()
    failures, first = 0, None
    for text, name, size in zip(texts, scripts, sizes, strict=True):
        ids = tokenizer.encode(text)
        used.update(ids)
        read[name] += size
        made[name] += len(ids)
        back = tokenizer.decode(ids)
        if back != text:
            failures += 1
            first = first or _difference(text, back)
    tokens, total = sum(made.values()), sum(read.values())
    special = len(tokenizer.special_ids)
    ordinary = max(1, len(tokenizer.backend.get_vocab(with_added_tokens=True)) - special)
    return Figures(
        name=candidate.name,
        kind=str(tokenizer.document["model"].get("type", "BPE")),
        vocab_size=candidate.vocab_size,
        text_bytes=total,
        tokens=tokens,
        words=count,
        bytes_per_token=total / max(1, tokens),
        bytes_per_token_by_script={name: size / max(1, made[name]) for name, size in read.most_common()},
        fertility=tokens / max(1, count),
        unused=1 - len(used) / ordinary,
        unknown=used[tokenizer.unknown_id] if tokenizer.unknown_id is not None else 0,
        paragraphs=len(texts),
        failures=failures,
        first_failure=first,
        longest=_longest(tokenizer),
    )


def _difference(before: str, after: str) -> tuple[str, str]:
    """Both texts around the first sign in which they differ."""
    place = next(
        (place for place, (old, new) in enumerate(zip(before, after, strict=False)) if old != new),
        min(len(before), len(after)),
    )
    start = max(0, place - 10)
    return before[start : place + 20], after[start : place + 20]


def _longest(tokenizer: Tokenizer) -> tuple[str, ...]:
    """The ordinary tokens with most characters, ties in the order of their ids."""
    special = tokenizer.special_ids
    vocab = tokenizer.backend.get_vocab(with_added_tokens=True)
    texts = tokenizer.token_texts
    shown = {
        place: token if texts is None else texts[place].decode("utf-8", "replace") for token, place in vocab.items()
    }
    order = sorted((place for place in shown if place not in special), key=lambda place: (-len(shown[place]), place))
    return tuple(shown[place] for place in order[:SHOWN])
