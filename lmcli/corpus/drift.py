"""How a new text differs from a corpus: lengths, words, characters, scripts, languages and near duplicates."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from lmcli.corpus.documents import Document
from lmcli.corpus.scripts import script
from lmcli.corpus.signatures import MinHash
from lmcli.corpus.words import folded_words
from lmcli.errors import MachineError

HELD_OUT = 10  # every tenth document of the corpus is compared with the others, to know what is usual
FEW = 30  # documents: with fewer, a distribution of lengths says little
_UNNAMED = ("Other", "und")  # a script, a language that nobody can name
SHOWN = 12  # unknown words and characters that are named


@dataclass
class Profile:
    """What is compared of a set of documents; lengths are in characters, shares of scripts and languages in bytes."""

    documents: int = 0
    text_bytes: int = 0
    lengths: list[int] = field(default_factory=list)
    words: Counter[str] = field(default_factory=Counter)
    characters: Counter[str] = field(default_factory=Counter)
    scripts: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)

    def add(self, document: Document, detect: Callable[[str], str] | None) -> None:
        text = document.text
        size = len(text.encode())
        self.documents += 1
        self.text_bytes += size
        self.lengths.append(len(text))
        self.words.update(folded_words(text))
        self.characters.update(text)
        self.scripts[script(text)] += size
        if language := document.language or (detect(text) if detect else ""):
            self.languages[language] += size

    def quantile(self, share: float) -> float:
        return float(np.quantile(self.lengths, share)) if self.lengths else math.nan

    def histogram(self) -> Counter[int]:
        """Documents by the power of two that their length reaches."""
        return Counter(length.bit_length() for length in self.lengths)


def profile(documents: Iterable[Document], detect: Callable[[str], str] | None) -> Profile:
    found = Profile()
    for document in documents:
        found.add(document, detect)
    return found


def detector() -> Callable[[str], str] | None:
    """Text to its language, or None where the extra isn't installed."""
    from lmcli.corpus.language import detect

    try:
        detect("a")
    except MachineError:
        return None
    return lambda text: detect(text)[0]


def divergence(left: Mapping[Any, float], right: Mapping[Any, float]) -> float:
    """The Jensen-Shannon distance of two histograms (Endres and Schindelin 2003): 0 for equal shares, 1 for none alike.

    The square root of the divergence in bits; NaN where one is empty.
    """
    totals = sum(left.values()), sum(right.values())
    if not all(totals):
        return math.nan
    found = 0.0
    for key in sorted({*left, *right}):
        p, q = left.get(key, 0) / totals[0], right.get(key, 0) / totals[1]
        middle = (p + q) / 2
        found += sum(share / 2 * math.log2(share / middle) for share in (p, q) if share)
    return math.sqrt(min(max(found, 0.0), 1.0))


def coverage(known: Mapping[str, int], text: Mapping[str, int]) -> float:
    """The share of a text's running words (or characters) that are known; NaN for no text."""
    total = sum(text.values())
    return sum(count for word, count in text.items() if word in known) / total if total else math.nan


def near_duplicates(corpus: Sequence[Document], text: Sequence[Document], near: MinHash) -> float:
    """The share of the documents of `text` that have a bucket in common with one of `corpus`; NaN for no text."""
    known: list[set[int]] = [set() for _ in range(near.buckets)]
    for item in corpus:
        keys = near.signature(item.text)
        for bucket, key in zip(known, [] if keys is None else keys.tolist(), strict=False):
            bucket.add(key)
    found = 0
    for item in text:
        keys = near.signature(item.text)
        found += keys is not None and any(key in bucket for bucket, key in zip(known, keys.tolist(), strict=True))
    return found / len(text) if text else math.nan


@dataclass(frozen=True)
class Figure:
    """One figure of both sides and what it means, in a sentence. For distances, words and duplicates `corpus` is what a
    part of the corpus gives beside the rest, so that it says what is usual; None where that is not known.
    """

    name: str
    unit: Literal["characters", "share", "distance", "bytes", "bits"]
    corpus: float | None
    text: float | None
    verdict: str


@dataclass(frozen=True)
class Shares:
    """The parts of scripts or languages, of the bytes of each side."""

    name: str
    corpus: dict[str, float]
    text: dict[str, float]
    verdict: str


@dataclass(frozen=True)
class Drift:
    figures: list[Figure]
    shares: list[Shares]
    unknown_words: list[str]
    unknown_characters: list[str]


def compare(
    corpus: Sequence[Document],
    text: Sequence[Document],
    near: MinHash,
    detect: Callable[[str], str] | None,
    seen: float = 1.0,
) -> Drift:
    """The text beside the corpus. Both are read several times, so both should be samples; `seen` is the corpus's share
    that its sample is.
    """
    usual, rest = _parts(corpus)
    ours, theirs, held_out, others = (profile(part, detect) for part in (text, corpus, usual, rest))
    figures = [
        *(_length(name, share, theirs, ours) for name, share in (("median length", 0.5), ("90th percentile", 0.9))),
        _lengths(divergence(others.histogram(), held_out.histogram()), theirs, ours),
        _words("words known", others.words, held_out.words, theirs.words, ours.words),
        _words("characters known", others.characters, held_out.characters, theirs.characters, ours.characters),
        _duplicates(near_duplicates(rest, usual, near), near_duplicates(corpus, text, near), seen),
    ]
    shares = [_shares("scripts", theirs.scripts, ours.scripts)]
    if ours.languages and theirs.languages:
        shares.append(_shares("languages", theirs.languages, ours.languages))
    unknown = (_unknown(theirs.words, ours.words), _unknown(theirs.characters, ours.characters))
    return Drift(figures, shares, *unknown)


def _parts(corpus: Sequence[Document]) -> tuple[Sequence[Document], Sequence[Document]]:
    """Every tenth document, and the others; nothing and all where there are few."""
    if len(corpus) < FEW:
        return [], corpus
    return corpus[::HELD_OUT], [item for place, item in enumerate(corpus) if place % HELD_OUT]


def _unknown(known: Mapping[str, int], text: Counter[str]) -> list[str]:
    """The most frequent words or characters that are not known."""
    return [word for word, _ in Counter({word: n for word, n in text.items() if word not in known}).most_common(SHOWN)]


def number(value: float) -> float | None:
    """NaN as None, which JSON can say."""
    return None if math.isnan(value) else value


def times(ratio: float) -> str:
    """2.5 times, 40 times."""
    return f"{ratio:.1f} times" if ratio < 10 else f"{ratio:,.0f} times"


def _length(name: str, share: float, corpus: Profile, text: Profile) -> Figure:
    before, now = corpus.quantile(share), text.quantile(share)
    if not (before > 0 and now > 0):
        verdict = "there is nothing to compare"
    elif now > 2 * before:
        verdict = f"documents are {times(now / before)} as long"
    elif before > 2 * now:
        verdict = f"documents are {times(before / now)} shorter"
    else:
        verdict = "documents are about as long"
    return Figure(name, "characters", number(before), number(now), verdict)


def _lengths(usual: float, corpus: Profile, text: Profile) -> Figure:
    found = divergence(corpus.histogram(), text.histogram())
    if min(text.documents, corpus.documents) < FEW:
        verdict = f"too few documents to compare lengths (fewer than {FEW})"
    elif found < max(0.2, 1.5 * (0 if math.isnan(usual) else usual)):
        verdict = "lengths are spread alike"
    else:
        verdict = "lengths are spread otherwise" if found < 0.5 else "lengths are of another order"
    return Figure("distance of lengths", "distance", number(usual), number(found), verdict)


def _words(name: str, rest: Counter[str], usual: Counter[str], corpus: Counter[str], text: Counter[str]) -> Figure:
    before, now = coverage(rest, usual), coverage(corpus, text)
    missing = (1.0 if math.isnan(before) else before) - now
    what = name.split()[0]
    few = 0.02 if what == "words" else 0.002  # a text can do with far fewer characters than words
    if math.isnan(now):
        verdict = f"there are no {what} to compare"
    elif missing < few:
        verdict = f"its {what} are those of the corpus"
    else:
        verdict = f"some {what} are new" if missing < 5 * few else f"many {what} are new to the corpus"
    return Figure(name, "share", number(before), number(now), verdict)


def _duplicates(usual: float, found: float, seen: float) -> Figure:
    if math.isnan(found) or not found:
        verdict = "no document is nearly one of the corpus"
    elif found < 0.05:
        verdict = "a few documents are in the corpus already, nearly word by word"
    else:
        verdict = "much of it is in the corpus already: no good for measuring a model"
    verdict += f" (looking at {seen:.0%} of the corpus)" if seen < 0.995 else ""
    return Figure("near duplicates", "share", number(usual), number(found), verdict)


def _shares(name: str, corpus: Counter[str], text: Counter[str]) -> Shares:
    found = divergence(corpus, text)
    new = [
        key for key, count in text.most_common() if corpus[key] < 0.01 * corpus.total() and count > text.total() / 50
    ]
    if math.isnan(found):
        verdict = f"there are no {name} to compare"
    elif new:
        verdict = f"the corpus has next to no {' or '.join(new[:3])}"
    else:
        verdict = f"{name} are mixed alike" if found < 0.2 else f"{name} are mixed otherwise"
    return Shares(name, _portions(corpus), _portions(text), verdict)


def _portions(counts: Counter[str]) -> dict[str, float]:
    return {key: count / counts.total() for key, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))}
