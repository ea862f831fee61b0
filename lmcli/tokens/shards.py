"""An encoded corpus as one long sequence of ids, read from the disk as it is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from lmcli.errors import ArtifactError, InputError
from lmcli.tokens import layout
from lmcli.tokens.layout import Index, Side


class TokenStream:
    """The ids of one side. They stand for `text_bytes` of UTF-8; `document_ends` are positions just after an end_id.

    `sentence_ends` are positions just after the last token of a sentence, or None where nobody asked for them.
    """

    def __init__(self, directory: Path, side: Side, index: Index) -> None:
        entry = index.sides[side]
        self.side = side
        self.vocab_size = index.vocab_size
        self.end_id = index.end_id
        self.text_bytes = entry.text_bytes
        self.documents = entry.documents
        self._shards = [
            _open(
                layout.shard_path(directory, side, number), f"<{index.dtype[0]}{np.dtype(index.dtype).itemsize}", count
            )
            for number, count in enumerate(entry.shards)
        ]
        self._starts = np.cumsum([0, *entry.shards])
        self.document_ends = _open(layout.documents_path(directory, side), "<u8", entry.documents)
        self.sentence_ends = (
            None if entry.sentences is None else _open(layout.sentences_path(directory, side), "<u8", entry.sentences)
        )

    @classmethod
    def open(cls, directory: Path, side: Side) -> TokenStream:
        """The side of an encoded corpus. ArtifactError for files that are missing or of another size than recorded."""
        return cls(directory, side, layout.read_index(directory))

    def __len__(self) -> int:
        return int(self._starts[-1])

    def take(self, start: int, length: int) -> npt.NDArray[np.int64]:
        """`length` ids from position `start` on, going on at the beginning after the end, as often as needed."""
        if not len(self):
            raise InputError(f"the {self.side} side has no text", "give a larger corpus")
        taken = np.empty(length, dtype=np.int64)
        filled, place = 0, start % len(self)
        while filled < length:
            shard = int(np.searchsorted(self._starts, place, side="right")) - 1
            part = self._shards[shard][place - self._starts[shard] :][: length - filled]
            taken[filled : filled + len(part)] = part
            filled += len(part)
            place = (place + len(part)) % len(self)
        return taken


def _open(path: Path, dtype: str, count: int) -> npt.NDArray[Any]:
    expected = count * np.dtype(dtype).itemsize
    size = path.stat().st_size if path.is_file() else None
    if size is None:
        raise ArtifactError(f"{path} is missing", layout.HINT)
    if size != expected:
        raise ArtifactError(f"{path} has {size} bytes, not {expected}", layout.HINT)
    return np.memmap(path, dtype=dtype, mode="r") if count else np.empty(0, dtype=dtype)
