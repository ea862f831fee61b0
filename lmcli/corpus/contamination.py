"""Which runs of words evaluation files have, so that training text with the same ones is found."""

from __future__ import annotations

import dataclasses
import functools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xxhash

from lmcli.corpus.config import ReadingConfig
from lmcli.corpus.ngrams import Hashes, hashes, longer, mix, ngrams
from lmcli.corpus.readers import RECORDS
from lmcli.corpus.reading import Reading, read
from lmcli.corpus.records import TEXT_KEYS, usable
from lmcli.corpus.rendering import KEYS
from lmcli.corpus.sources import Source, files_behind, resolve
from lmcli.corpus.tally import Tally
from lmcli.corpus.words import folded_words, is_spaceless
from lmcli.errors import InputError
from lmcli.progress import Silent

_WHOLE = 5  # words: a text that is shorter says nothing of its own
_WHOLE_CHARACTERS = 10  # of scripts without spaces

# Besides what fine-tuning reads: how the columns of evaluation sets are called.
_MORE_KEYS = (
    *("problem", "query", "passage", "ctx", "premise", "hypothesis", "choices", "options", "endings"),
    *("answers", "solution", "target", "targets", "reference", "references", "summary", "translation"),
)
_NO_TEXT = ("role", "from", "label", "type", "id")


@dataclass(frozen=True, slots=True)
class Evaluations:
    """Evaluation files below `root`, and how long the runs are that count. `state` is another one when a file changes.

    Texts shorter than a run count as a whole from 5 words (10 characters) on. With a `text_key` other than auto, only
    that key of a row is read.
    """

    files: tuple[str, ...]
    root: Path
    n: int = 13
    n_characters: int = 26
    text_key: str = "auto"
    state: str = ""


def located(evaluations: Evaluations) -> Evaluations:
    """The same files in their present state. Raises InputError for files that are missing."""
    digest = xxhash.xxh3_128()
    for source in _sources(evaluations):
        for name, path in files_behind(source):
            status = path.stat() if path else None
            digest.update(repr((name, status and (status.st_size, status.st_mtime_ns))).encode())
    return dataclasses.replace(evaluations, state=digest.hexdigest())


class KnownRuns:
    """Hashes of runs of words, by the length of the run.

    `table[hash >> shift]` is whether there is a hash that begins so: it answers nearly every question without a search.
    """

    def __init__(self, runs: Mapping[int, Hashes]) -> None:
        self._runs = {length: _Table(runs[length]) for length in sorted(runs)}

    def matches(self, text: str) -> int:
        """How many different runs of the text are known."""
        if not self._runs:
            return 0
        found = ngrams_of(hashes(folded_words(text)), self._runs)
        return sum(self._runs[length].matches(runs) for length, runs in found)


class _Table:
    def __init__(self, runs: Hashes) -> None:
        self._sorted = np.unique(runs)
        bits = min(max((8 * len(self._sorted)).bit_length(), 10), 26)
        self._shift = np.uint64(64 - bits)
        self._begins: npt.NDArray[np.bool_] = np.zeros(1 << bits, dtype=np.bool_)
        self._begins[self._sorted >> self._shift] = True

    def matches(self, runs: Hashes) -> int:
        likely = np.unique(runs[self._begins[runs >> self._shift]])
        places = np.minimum(np.searchsorted(self._sorted, likely), len(self._sorted) - 1)
        return int(np.count_nonzero(self._sorted[places] == likely))


def ngrams_of(words: Hashes, lengths: Iterable[int]) -> Iterator[tuple[int, Hashes]]:
    """For each of the ascending `lengths` the hashes of all runs of so many words, in one go."""
    runs, reached = words, 1
    for length in lengths:
        for size in range(reached, length):
            runs = longer(runs, words[size:])
        reached = length
        yield length, mix(runs)


@functools.cache
def known_runs(evaluations: Evaluations) -> KnownRuns:
    """The runs of the files, read once in each process. Raises InputError, naming file and line, for bad ones."""
    found: dict[int, list[Hashes]] = defaultdict(list)
    for source in _sources(evaluations):
        for text in _texts(source, evaluations):
            words = hashes(folded_words(text))
            if length := _length(text, len(words), evaluations):
                found[length].append(words)
    return KnownRuns({length: runs_within(texts, length) for length, texts in found.items()})


def runs_within(texts: Sequence[Hashes], length: int) -> Hashes:
    """The hashes of the runs of all texts, each of which has `length` words or more; in one go, for there are many."""
    runs = ngrams(np.concatenate(texts), length)
    ends = np.cumsum([len(text) for text in texts])[:-1]
    within = np.ones(len(runs), dtype=np.bool_)
    for before in range(1, length):  # a run that begins so near to the end of a text goes on in the next
        within[ends - before] = False
    return runs[within]


def _length(text: str, words: int, evaluations: Evaluations) -> int:
    """The length of the runs by which a text is known, 0 if it is too short for any."""
    spaceless = is_spaceless(text)
    wanted = evaluations.n_characters if spaceless else evaluations.n
    if words >= wanted:
        return wanted
    return words if words >= (_WHOLE_CHARACTERS if spaceless else _WHOLE) else 0


def _sources(evaluations: Evaluations) -> tuple[Source, ...]:
    return resolve(evaluations.files, evaluations.root)


def _texts(source: Source, evaluations: Evaluations) -> Iterator[str]:
    config = ReadingConfig(text_key=evaluations.text_key)
    if source.reader not in RECORDS:
        yield from (document.text for document in read([source], config, Silent(), Tally()))
        return
    try:
        yield from _row_texts(source, Reading(config, Tally(), lambda amount: None))
    except InputError as error:
        hint = 'name the column that counts: {name = "decontaminate", text_key = "..."}'
        raise InputError(f"decontaminate: {error.message}", hint) from None


def _row_texts(source: Source, reading: Reading) -> Iterator[str]:
    """The texts of each row, and all of them after one another: runs may begin in a prompt and end in its answer."""
    key = reading.config.text_key
    keys, named = ((*TEXT_KEYS, *KEYS, *_MORE_KEYS), "a known key") if key == "auto" else ((key,), key)
    for record, bad in usable(source, reading, keys):
        row = record.value if isinstance(record.value, Mapping) else {}
        texts = [text for key in keys if key in row for text in _strings(row[key])]
        if not texts:
            bad.add(record.number, f"no text under {named} (keys: {', '.join(map(str, list(row)[:8]))})")
        yield from texts
        if len(texts) > 1:
            yield " ".join(texts)


def _strings(value: Any) -> Iterator[str]:
    """Every text in a value of JSON; who says it is none."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _strings(item) if key not in _NO_TEXT else ()
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)
