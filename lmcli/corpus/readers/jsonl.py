"""jsonl and ndjson: a JSON object on each line. Only \\n ends a line (U+2028 and friends belong to the text)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from lmcli.corpus.records import Record

if TYPE_CHECKING:
    from lmcli.corpus.reading import Reading
    from lmcli.corpus.sources import Source

_SPACES = " \t\r"


def records(source: Source, reading: Reading, keys: tuple[str, ...]) -> Iterator[Record]:
    """A record for each line that isn't blank."""
    decoder: Any = strict_decoder()
    for number, line in enumerate(lines(reading.text(source)), 1):
        try:
            value, end = decoder.scan_once(line, 0)  # half the time of `decode`, which is asked when this fails
        except (StopIteration, ValueError, RecursionError):
            end = -1
        if end == len(line) or (end > 0 and not line[end:].strip(_SPACES)):
            yield Record(number, value)
        elif line.strip():
            yield _record(decoder, number, line)


def _record(decoder: json.JSONDecoder, number: int, line: str) -> Record:
    try:
        return Record(number, decoder.decode(line))
    except json.JSONDecodeError as error:
        return Record(number, None, f"not JSON: {error.msg} at column {error.colno}")
    except ValueError as error:
        return Record(number, None, f"not JSON: {error}")
    except RecursionError:
        return Record(number, None, "not JSON: nested too deeply")


def strict_decoder() -> json.JSONDecoder:
    """JSON by its standard: no NaN, and no key twice (of which the last would win in silence)."""
    return json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice in an object")
    return result


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def lines(texts: Iterable[str], keep_ends: bool = False) -> Iterator[str]:
    """The lines of a text that arrives in chunks, split on \\n only."""
    waiting: list[str] = []
    for text in texts:
        first, *rest = text.split("\n")
        waiting.append(first)
        if rest:
            whole = ["".join(waiting), *rest[:-1]]
            waiting = rest[-1:]
            yield from (f"{line}\n" for line in whole) if keep_ends else whole
    if last := "".join(waiting):
        yield last
