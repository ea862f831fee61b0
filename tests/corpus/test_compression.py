from __future__ import annotations

import bz2
import gzip
import lzma
import os
import random
import threading
from pathlib import Path

import pytest
import zstandard

from lmcli.corpus.compression import CHUNK, chunks
from lmcli.errors import InputError

PACK = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor().compress,
}
TEXT = " ".join(str(random.Random(0).random()) for _ in range(200)).encode() * 50


def unpack(path: Path) -> bytes:
    return b"".join(chunks(path))


@pytest.mark.parametrize("suffix", PACK)
def test_every_compression_gives_the_bytes_back(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.txt.{suffix}"
    path.write_bytes(PACK[suffix](TEXT))
    assert unpack(path) == TEXT


@pytest.mark.parametrize("suffix", PACK)
def test_members_that_follow_each_other_are_all_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(PACK[suffix](b"one ") + PACK[suffix](b"") + PACK[suffix](b"two"))
    assert unpack(path) == b"one two"


@pytest.mark.parametrize("suffix", PACK)
def test_a_truncated_file_is_never_taken_for_a_short_one(tmp_path: Path, suffix: str) -> None:
    packed = PACK[suffix](TEXT)
    path = tmp_path / f"a.{suffix}"
    for sixteenths in range(1, 16):
        path.write_bytes(packed[: len(packed) * sixteenths // 16])
        with pytest.raises(InputError, match=f"a.{suffix} (is cut short|can't be unpacked)"):
            unpack(path)
    path.write_bytes(packed[:-1])
    with pytest.raises(InputError):
        unpack(path)


@pytest.mark.parametrize("suffix", PACK)
def test_what_was_never_compressed_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"plain text with a wrong suffix")
    with pytest.raises(InputError, match=f"a.{suffix} can't be unpacked"):
        unpack(path)


def test_garbage_after_the_end_is_refused(tmp_path: Path) -> None:
    for suffix in ("gz", "zst"):
        path = tmp_path / f"a.{suffix}"
        path.write_bytes(PACK[suffix](TEXT) + b"garbage")
        with pytest.raises(InputError, match="can't be unpacked"):
            unpack(path)


def test_a_bomb_is_stopped_early(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zst"
    compressor = zstandard.ZstdCompressor(level=1).compressobj()
    megabyte = bytes(1 << 20)
    with path.open("wb") as file:
        for _ in range(1024):
            file.write(compressor.compress(megabyte))
        file.write(compressor.flush())
    assert path.stat().st_size < 1 << 18
    received = 0
    with pytest.raises(InputError, match=r"bomb\.zst unpacks to an unreasonable size"):
        for chunk in chunks(path):
            received += len(chunk)
            assert len(chunk) <= CHUNK
    assert received <= 300 << 20


def test_progress_counts_the_bytes_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(TEXT))
    taken: list[float] = []
    assert b"".join(chunks(path, taken.append)) == TEXT
    assert sum(taken) == path.stat().st_size


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(bytes(3 * CHUNK))
    stream = chunks(path)
    next(stream)
    with path.open("ab") as file:
        file.write(b"more")
    with pytest.raises(InputError, match=r"a\.txt changed while it was read"):
        list(stream)


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    outcome: list[BaseException] = []

    def attempt() -> None:
        try:
            unpack(path)
        except InputError as error:
            outcome.append(error)

    thread = threading.Thread(target=attempt, daemon=True)
    thread.start()
    thread.join(5)
    assert outcome, "reading a pipe waits"
    assert "no regular file" in str(outcome[0])


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.txt"):
        unpack(tmp_path / "gone.txt")
