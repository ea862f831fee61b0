from __future__ import annotations

from pathlib import Path

from lmcli.corpus import duplicates
from lmcli.corpus.duplicates import Seen


def test_a_digest_is_new_once_and_nothing_stays_behind(tmp_path: Path) -> None:
    digests = [number.to_bytes(16, "big") for number in range(50_000)]
    with Seen(tmp_path) as seen:
        assert all(seen.add(digest) for digest in digests)
        assert not any(seen.add(digest) for digest in digests)
        assert seen.add(bytes(15) + b"\xff" + b"x"[:0]) is False
        assert seen.add(b"\xff" * 16)
    assert list(tmp_path.iterdir()) == []
    assert duplicates.CACHE <= 64 << 10
