"""hf:NAME[:split]: a data set of the Hugging Face hub, or a local folder of one, streamed through `datasets`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import datasets as _datasets

from lmcli.corpus.records import Record
from lmcli.errors import InputError

datasets: Any = _datasets  # it states no types
datasets.config.TORCH_AVAILABLE = False  # else it imports torch to read text: 180 MB and two seconds

if TYPE_CHECKING:
    from lmcli.corpus.reading import Reading
    from lmcli.corpus.sources import Source


def records(source: Source, reading: Reading, keys: tuple[str, ...]) -> Iterator[Record]:
    """A record for each example of the split (default train), one after the other: none is kept, nor on the disk.

    "owner/name/config" picks a configuration; a name that begins with a dot or a slash is a folder of files.
    """
    name, _, split = source.label.removeprefix("hf:").partition(":")
    place = _place(name) if source.folder is None else (str(source.folder),)
    try:
        stream = datasets.load_dataset(*place, split=split or "train", streaming=True)
        for number, example in enumerate(stream, 1):
            values = {key: example[key] for key in keys if key in example} or dict(example)
            reading.advance(sum(len(value) for value in values.values() if isinstance(value, str)))
            yield Record(number, values)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        hint = "check the name and split, and that this machine is online (HF_HUB_OFFLINE is not set)"
        if source.folder is not None:
            hint = "check the split and the files of the folder"
        raise InputError(f"can't read {source.label}: {reason}", hint) from error


def _place(name: str) -> tuple[str, ...]:
    parts = name.split("/")
    return ("/".join(parts[:2]), parts[2]) if len(parts) == 3 else (name,)
