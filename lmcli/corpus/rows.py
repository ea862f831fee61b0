"""Rows for fine-tuning: a prompt and what should follow it, or a plain text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import xxhash

from lmcli.corpus.config import ReadingConfig
from lmcli.corpus.readers import RECORDS
from lmcli.corpus.reading import Reading, total_bytes
from lmcli.corpus.records import BadRowError, Record, pick, prompted, text_keys, usable, wanted_keys
from lmcli.corpus.sources import Source
from lmcli.corpus.tally import Tally
from lmcli.errors import InputError
from lmcli.progress import Progress


@dataclass(frozen=True, slots=True)
class Row:
    """What to learn from; a plain text has no prompt."""

    id: str
    prompt: str
    completion: str


def read_rows(sources: Sequence[Source], config: ReadingConfig, progress: Progress, tally: Tally) -> Iterator[Row]:
    """The rows of the sources, in order: keys `prompt` and `completion`, or a text under `config.text_key`.

    With `config.render` a conversation is one too: what leads to its last answer, and that.
    Rows with an empty completion are among them, for whoever uses the rows to leave out and count. Raises InputError,
    naming file and line, for bad rows, and for files that have no rows.
    """
    with progress.task("reading", total=total_bytes(sources), unit="B") as task:
        reading = Reading(config, tally, task.advance)
        for source in sources:
            task.describe(source.label)
            for row in _rows(source, reading):
                tally.documents += 1
                yield row


def held_out(row: Row, fraction: float) -> bool:
    """Whether the row is on the validation side: decided by its prompt (its text, if it has none) and nothing else.

    All answers to one prompt are on one side, and whoever has the row can tell which.
    """
    return xxhash.xxh3_64_intdigest((row.prompt or row.completion).encode()) < fraction * 2.0**64


def _rows(source: Source, reading: Reading) -> Iterator[Row]:
    if source.reader == "signatures":
        return _signatures(source, reading)
    if source.reader not in RECORDS:
        known = ", ".join(RECORDS)
        raise InputError(f"{source.label} has no rows", f"rows are read from {known}")
    return _records(source, reading)


def _signatures(source: Source, reading: Reading) -> Iterator[Row]:
    from lmcli.corpus.readers.pydoc import load

    for signature in load(source, reading).signatures:
        yield Row(f"{source.label}:{signature.name}", signature.definition, signature.summary)


def _records(source: Source, reading: Reading) -> Iterator[Row]:
    keys = text_keys(reading.config.text_key)
    for record, bad in usable(source, reading, ("prompt", "completion", *wanted_keys(reading.config))):
        try:
            pair = _pair(record, keys, reading.config)
        except BadRowError as error:
            bad.add(record.number, str(error), record.value)
            continue
        if (prompt := reading.settle(pair[0])) is None:  # counted by now: a row is dropped once
            continue
        if (completion := reading.settle(pair[1])) is not None:
            yield Row(f"{source.label}:{record.number}", prompt, completion)


def _pair(record: Record, keys: tuple[str, ...], config: ReadingConfig) -> tuple[str, str]:
    value = record.value
    if config.render != "no":
        return prompted(value, keys, config)
    if isinstance(value, Mapping) and ("prompt" in value or "completion" in value):
        return pick(value, ("prompt",)), pick(value, ("completion",))
    try:
        return "", pick(value, keys)
    except BadRowError as error:
        raise BadRowError(f"neither prompt and completion nor a text: {error}") from None
