"""hf:NAME[:split]: a data set of the Hugging Face hub, or a local folder of one, streamed through `datasets`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import datasets as _datasets

from lmcli.corpus.records import Record
from lmcli.errors import InputError

datasets: Any = _datasets  # it states no types

if TYPE_CHECKING:
    from lmcli.corpus.reading import Reading
    from lmcli.corpus.sources import Source


def records(source: Source, reading: Reading, keys: tuple[str, ...]) -> Iterator[Record]:
    """A record for each example of the split (default train). "owner/name/config" picks a configuration."""
    name, _, split = source.label.removeprefix("hf:").partition(":")
    try:
        stream = datasets.load_dataset(*_place(name), split=split or "train", streaming=True)
        for number, example in enumerate(stream, 1):
            yield Record(number, {key: example[key] for key in keys if key in example} or dict(example))
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        hint = "check the name and split, and that this machine is online (HF_HUB_OFFLINE is not set)"
        raise InputError(f"can't read {source.label}: {reason}", hint) from error


def _place(name: str) -> tuple[str, ...]:
    parts = name.split("/")
    if len(parts) == 3 and not name.startswith((".", "/")):
        return "/".join(parts[:2]), parts[2]
    return (name,)
