"""Two plain files, line by line: scores without any model."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from lmcli.corpus.config import ReadingConfig
from lmcli.corpus.reading import Reading
from lmcli.corpus.sources import Source
from lmcli.corpus.tally import Tally
from lmcli.errors import InputError
from lmcli.evaluation.comparison import compare
from lmcli.evaluation.config import EvalConfig
from lmcli.evaluation.results import Results


def compare_files(predictions: Path, references: Path, config: EvalConfig) -> Results:
    """Line k of the predictions against line k of the references.

    Raises InputError when the files have different numbers of lines, and as reading text does.
    """
    given, wanted = lines(predictions, config), lines(references, config)
    if len(given) != len(wanted):
        message = f"{predictions} has {len(given)} lines and {references} has {len(wanted)}"
        raise InputError(message, "line k of one file belongs to line k of the other, empty lines too")
    return Results(compare(given, wanted, config.metrics, config.seed), counts={"rows": len(wanted)})


def lines(path: Path, config: ReadingConfig) -> list[str]:
    r"""The lines of a text file, which may be compressed: split at \n only, and a \r before it is no part of the line.

    A file that ends with a newline has no empty line after it. Bytes that are no text become U+FFFD unless that is an
    error, for a dropped line would move all those below it.
    """
    if config.encoding_errors == "drop":
        config = dataclasses.replace(config, encoding_errors="replace")
    reading = Reading(config, Tally(), lambda amount: None)
    text = reading.settle("".join(reading.text(Source(str(path), path, "txt")))) or ""
    found = text.split("\n")
    if not found[-1]:
        found.pop()
    return [line.removesuffix("\r") for line in found]
