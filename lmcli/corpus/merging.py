"""The second half of `clean`: which documents of all shards stay, and the corpus that they make.

Duplicates are looked for in four steps, as clusters of machines do it: signatures (made shard by shard), the pairs of
each bucket, the clusters that the pairs make, and the removal. Of equal or nearly equal documents the first stays.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lmcli.corpus.clusters import Edges, bucket_edges, components, smallest_hash
from lmcli.corpus.mapping import KEYS, LINES, Mapped
from lmcli.corpus.ngrams import Hashes
from lmcli.corpus.presets import Duplicates
from lmcli.corpus.repeats import equal_runs
from lmcli.project import durable

Marks = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Verdicts:
    """For each document of all shards, in order: is it a repetition (and of which), and the hash that it is split by.

    `first` is the place of the document that stands for it: its own, unless `exact` or `near` is set there. `lines`
    marks those of the counted lines that stood in an earlier document.
    """

    exact: Marks
    near: Marks
    first: Hashes
    group: Hashes
    lines: Marks


@dataclass(frozen=True)
class Joined:
    """The shards of a corpus, with the keys and the line hashes of all of them, one after the other, on the disk."""

    shards: Sequence[Mapped]
    keys: npt.NDArray[np.void]
    lines: Hashes


def join(shards: Sequence[Mapped], scratch: Path) -> Joined:
    """The shards as one; with several, what they hold of keys and lines is copied to the new folder `scratch`."""
    if len(shards) == 1:
        return Joined(shards, shards[0].keys, shards[0].lines)
    durable.mkdir(scratch)
    for name in (KEYS, LINES):
        with durable.create(scratch / name) as file:
            for shard in shards:
                with (shard.folder / name).open("rb") as part:
                    shutil.copyfileobj(part, file)
    whole = Mapped(scratch, shards[0].chain)
    return Joined(shards, whole.keys, whole.lines)


def decide(joined: Joined, duplicates: Duplicates, edges: Sequence[Edges]) -> Verdicts:
    """The verdicts, given the pairs of every bucket (`bucket_edges`)."""
    keys = joined.keys
    alive = ~keys["dropped"]
    labels = components(len(keys), edges)
    exact, first = _none(len(keys)), np.arange(len(keys), dtype=np.uint64)
    if duplicates != "keep":
        exact, first = _exact(keys, alive)
    near = _none(len(keys))
    if duplicates == "near":
        near = (labels != np.arange(len(keys), dtype=np.uint64)) & alive & ~exact
        first = labels[first]
    group = smallest_hash(labels, np.where(alive, keys["digest"][:, 0], np.iinfo(np.uint64).max))
    return Verdicts(exact, near, first, group, _repeated_lines(joined, alive & ~exact & ~near))


def edges_of(joined: Joined) -> list[Edges]:
    """The pairs of every bucket."""
    buckets = joined.keys["near"].shape[1]
    return [bucket_edges(joined.keys["near"][:, bucket], joined.keys["signed"]) for bucket in range(buckets)]


def _none(count: int) -> Marks:
    return np.zeros(count, dtype=bool)


def _exact(keys: npt.NDArray[np.void], alive: Marks) -> tuple[Marks, Hashes]:
    """Which documents have the text of an earlier one, and where the first of each stands.

    Runs are found by half of the hash, so the other half is compared; where it differs (once in 2^64 pairs) both stay.
    """
    repeated, firsts = _none(len(keys)), np.arange(len(keys), dtype=np.uint64)
    for first, later in equal_runs(keys["digest"][:, 0], alive):
        same = keys["digest"][first, 1] == keys["digest"][later, 1]
        repeated[later[same]] = True
        firsts[later[same]] = first[same]
    return repeated, firsts


def _repeated_lines(joined: Joined, kept: Marks) -> Marks:
    """Marks the lines of kept documents that stood in an earlier kept document; repetition within one is style."""
    marks = _none(len(joined.lines))
    if len(marks):
        counts = joined.keys["lines"]
        ends = np.cumsum(counts, dtype=np.int64)
        for first, later in equal_runs(joined.lines, np.repeat(kept, counts)):
            marks[later] = np.searchsorted(ends, first, "right") != np.searchsorted(ends, later, "right")
    return marks


@dataclass(frozen=True, slots=True)
class Row:
    """A document on its way out: `reason` is why it is left out, or "". `place` is its number among all shards."""

    place: int
    id: str
    text: str
    source: str
    language: str
    reason: str
    lines_removed: bool = False


def rows(joined: Joined, verdicts: Verdicts) -> Iterator[Row]:
    """Every document with its verdict, in order, repeated lines taken out."""
    place = line = 0
    for shard in joined.shards:
        for identity, text, drop, source, language in shard.documents():
            row = Row(place, identity, text, source, language, drop or _reason(verdicts, place))
            count = int(joined.keys["lines"][place]) if len(verdicts.lines) else 0
            marks = verdicts.lines[line : line + count]
            yield _without_lines(row, marks, shard.chain.lines) if count and marks.any() else row
            place, line = place + 1, line + count


def _reason(verdicts: Verdicts, place: int) -> str:
    if verdicts.exact[place]:
        return "duplicate.exact"
    return "duplicate.near" if verdicts.near[place] else ""


def _without_lines(row: Row, marks: Any, length: int) -> Row:
    """The document without its marked lines; when nothing is left, it is dropped as it was."""
    kept, number = [], 0
    for text in row.text.split("\n"):
        long = len(text.strip()) >= length
        if not (long and marks[number]):
            kept.append(text)
        number += long
    text = "\n".join(kept).strip("\n")
    if not text or text.isspace():
        return Row(row.place, row.id, row.text, row.source, row.language, "duplicate.lines")
    return Row(row.place, row.id, text, row.source, row.language, "", lines_removed=True)


def largest_clusters(verdicts: Verdicts, limit: int) -> dict[int, int]:
    """Place of the document that stands for a cluster -> documents in it, the largest clusters first."""
    repeated = verdicts.first[verdicts.exact | verdicts.near]
    places, counts = np.unique(repeated, return_counts=True)
    order = np.lexsort((places, -counts))[:limit]
    return {int(places[index]): int(counts[index]) + 1 for index in order}
