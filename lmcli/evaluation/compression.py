"""What general compressors make of the same text: a model that does no better has learned little."""

from __future__ import annotations

import lzma
import math
import zlib

import numpy as np

from lmcli.evaluation.scores import Score, ratio

_GZIP_CONTAINER = 31  # zlib's window bits: 15, and 16 for the gzip header
_MEMORY_LEVEL = 8
_LARGEST_DICTIONARY = (
    1 << 26
)  # what xz -9 uses; the encoder needs 10 times as much, and a small text no dictionary so large
_SMALLEST_DICTIONARY = 1 << 12
_BLOCK = 1 << 20  # bytes handed to the compressors at once


class Compressors:
    """Bits per byte of the texts added, one after another: byte unigrams (nothing learned), gzip -9 and xz -9e.

    Headers are counted, as they are in a file. `text_bytes`, where it is known, keeps the memory of xz small.
    """

    def __init__(self, text_bytes: int | None = None) -> None:
        self._counts = np.zeros(256, dtype=np.int64)
        self._gzip = zlib.compressobj(9, zlib.DEFLATED, _GZIP_CONTAINER, _MEMORY_LEVEL)
        self._xz = lzma.LZMACompressor(lzma.FORMAT_XZ, filters=_xz_filters(text_bytes))
        self._gzip_bytes = self._xz_bytes = 0

    def add(self, text: str) -> None:
        data = text.encode("utf-8")
        for start in range(0, len(data), _BLOCK):
            block = data[start : start + _BLOCK]
            self._counts += np.bincount(np.frombuffer(block, dtype=np.uint8), minlength=256)
            self._gzip_bytes += len(self._gzip.compress(block))
            self._xz_bytes += len(self._xz.compress(block))

    def scores(self) -> tuple[Score, ...]:
        """The three figures, NaN when no byte was added; nothing can be added afterwards."""
        total = int(self._counts.sum())
        gzip_bytes = self._gzip_bytes + len(self._gzip.flush())
        xz_bytes = self._xz_bytes + len(self._xz.flush())
        return (
            Score("unigram_bpb", _entropy(self._counts), "bits per byte|byte unigrams", total, "bytes"),
            Score("gzip_bpb", ratio(8 * gzip_bytes, total), "bits per byte|gzip -9", total, "bytes"),
            Score("xz_bpb", ratio(8 * xz_bytes, total), "bits per byte|xz -9e", total, "bytes"),
        )


def _xz_filters(text_bytes: int | None) -> list[dict[str, int]]:
    dictionary = _LARGEST_DICTIONARY
    if text_bytes is not None:
        dictionary = min(max(1 << max(text_bytes - 1, 0).bit_length(), _SMALLEST_DICTIONARY), _LARGEST_DICTIONARY)
    return [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": dictionary}]


def _entropy(counts: np.ndarray) -> float:
    """Bits for each byte under the bytes' own frequencies; NaN for no byte."""
    total = int(counts.sum())
    if not total:
        return math.nan
    shares = counts[counts > 0] / total
    return float(-(shares * np.log2(shares)).sum())
