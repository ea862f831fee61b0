"""Rows of jsonl, csv, parquet and the like: the text in them, and what to say about those without."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from lmcli.corpus import rendering
from lmcli.corpus.documents import Document
from lmcli.corpus.readers import RECORDS
from lmcli.errors import InputError

if TYPE_CHECKING:
    from lmcli.corpus.config import ReadingConfig
    from lmcli.corpus.reading import Reading
    from lmcli.corpus.sources import Source

TEXT_KEYS = ("text", "content", "document", "body", "article", "sentence")
SHOWN = 24  # columns that a message names


class Record(NamedTuple):
    """Row `number` (a line of a text file, else a count from 1): its value, or the problem why there is none."""

    number: int
    value: Any
    problem: str = ""


class BadRowError(ValueError):
    """A row that has no usable text; the message says why."""


@dataclass
class BadRows:
    """The rows of one file that can't be used."""

    label: str
    tolerance: float
    rows: int = 0
    bad: int = 0
    examples: list[str] = field(default_factory=list)
    hint: str = "correct these rows, name the column with --text-key, or allow --max-bad-rows"

    def add(self, number: int, problem: str, value: Any = None) -> None:
        """Count a bad row; its `value`, if it has one, may tell what to do about it."""
        self.bad += 1
        if isinstance(value, Mapping) and rendering.is_chat(value):
            self.hint = rendering.HINT
        if len(self.examples) < 5:
            self.examples.append(f"{self.label}:{number}: {problem}")

    def check(self) -> None:
        """Raises InputError, with the first five and the count, when there are more than tolerated."""
        if self.bad > self.tolerance * self.rows:
            message = "; ".join(self.examples) + f" ({self.bad} of {self.rows} rows are bad)"
            raise InputError(message, self.hint)


def text_keys(config_key: str) -> tuple[str, ...]:
    """The keys that may hold the text, the best first."""
    return TEXT_KEYS if config_key == "auto" else (config_key,)


def pick(value: Any, keys: tuple[str, ...]) -> str:
    """The string under the first of `keys` that the row has. Raises BadRowError."""
    if type(value) is not dict and not isinstance(value, Mapping):
        raise BadRowError("not an object with keys")
    for key in keys:
        if key in value:
            text = value[key]
            if not isinstance(text, str):
                raise BadRowError(f"{key} is {_kind(text)}, not a string")
            return text
    wanted = " or ".join(keys)
    raise BadRowError(f"no key {wanted} (keys: {', '.join(map(str, list(value)[:8]))})")


def _kind(value: Any) -> str:
    return "null" if value is None else f"a {type(value).__name__}"


def no_column(place: str, wanted: Iterable[str], columns: list[str]) -> InputError:
    """What to say about a table that has none of the wanted columns."""
    more = f" and {len(columns) - SHOWN} more" if len(columns) > SHOWN else ""
    message = f"{place}: no column {' or '.join(wanted)} (columns: {', '.join(columns[:SHOWN])}{more})"
    hint = rendering.HINT if rendering.is_chat(columns) else "say which one holds the text with --text-key"
    return InputError(message, hint)


def usable(source: Source, reading: Reading, keys: tuple[str, ...]) -> Iterator[tuple[Record, BadRows]]:
    """The rows that could be parsed, with the place where others are to be reported; checked at the end of the file."""
    bad = BadRows(source.label, reading.config.max_bad_rows)
    for record in RECORDS.load(source.reader)(source, reading, keys):
        bad.rows += 1
        if record.problem:
            bad.add(record.number, record.problem)
        else:
            yield record, bad
    bad.check()
    if bad.bad:
        reading.tally.dropped["row"] += bad.bad


def documents(source: Source, reading: Reading) -> Iterator[Document]:
    """A document for each row."""
    keys = text_keys(reading.config.text_key)
    for record, bad in usable(source, reading, wanted_keys(reading.config)):
        try:
            text = reading.settle("".join(prompted(record.value, keys, reading.config)))
        except BadRowError as error:
            bad.add(record.number, str(error), record.value)
            continue
        if text is not None:
            yield Document(f"{source.label}:{record.number}", text)


def wanted_keys(config: ReadingConfig) -> tuple[str, ...]:
    """The columns that `prompted` may look at."""
    return text_keys(config.text_key) if config.render == "no" else (*text_keys(config.text_key), *rendering.KEYS)


def prompted(value: Any, keys: tuple[str, ...], config: ReadingConfig) -> tuple[str, str]:
    """What is asked and what is answered in a row, when rows are rendered; else "" and its text. Raises BadRowError.

    A row that has a text under a key that the user named is that text, whatever else it has.
    """
    if config.render == "no" or not isinstance(value, Mapping) or not rendering.is_chat(value):
        return "", pick(value, keys)
    if config.text_key != "auto" and isinstance(value.get(config.text_key), str):
        return "", pick(value, keys)
    try:
        return rendering.render(value)
    except rendering.NotRenderedError as error:
        raise BadRowError(str(error)) from None
