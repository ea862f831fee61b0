from __future__ import annotations

import hashlib
import json
import os
import random
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.errors import ArtifactError, MachineError
from lmcli.project import digests
from lmcli.project.digests import Digests, File, Listing, listing_of

names = st.binary(min_size=1, max_size=12).map(os.fsdecode)  # any bytes a file system may hold, line ends included
listings = st.dictionaries(names, st.integers(0, 2**40), max_size=6).map(
    lambda sizes: listing_of((name, size, "0" * 64) for name, size in sizes.items())
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree" / "below").mkdir(parents=True)
    (tmp_path / "tree" / "b").write_bytes(b"two")
    (tmp_path / "tree" / "below" / "a").write_bytes(b"")
    return tmp_path / "tree"


def test_a_tree_hashes_sorted_names_sizes_and_contents(tree: Path) -> None:
    rows = [["b", 3, hashlib.sha256(b"two").hexdigest()], ["below/a", 0, hashlib.sha256(b"").hexdigest()]]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    listing = Digests().tree(tree)
    assert listing.text == text
    assert listing.digest == hashlib.sha256(text.encode()).hexdigest()
    assert listing.size == 3


def test_renaming_a_file_changes_the_digest_of_its_tree(tree: Path) -> None:
    before = Digests().tree(tree).digest
    (tree / "b").rename(tree / "c")
    assert Digests().tree(tree).digest != before


@settings(deadline=None, max_examples=50)
@given(listings)
def test_a_listing_is_read_again_as_it_was(listing: Listing) -> None:
    assert Listing.parse(listing.text) == listing
    assert len(listing.text.splitlines()) == len(listing.files)


@settings(deadline=None, max_examples=50)
@given(listings, st.randoms(use_true_random=False))
def test_a_listing_does_not_depend_on_the_order_in_which_files_were_found(listing: Listing, rng: random.Random) -> None:
    shuffled = [(file.name, file.size, file.sha256) for file in listing.files]
    rng.shuffle(shuffled)
    assert listing_of(shuffled).digest == listing.digest


def test_changes_name_each_file_and_what_happened_to_it() -> None:
    old = Listing((File("a", 1, "x"), File("b", 1, "x"), File("c", 1, "x")))
    new = Listing((File("a", 1, "x"), File("b", 1, "y"), File("d", 1, "x")))
    assert old.changes(new) == ["b", "d is new", "c is gone"]
    assert old.changes(old) == []


@pytest.fixture
def eager_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files enter the stat cache at once, so that a test need not wait until they are two seconds old."""
    monkeypatch.setattr(digests, "RACY_NS", 0)


def file_in_cache(tmp_path: Path) -> tuple[Path, Path]:
    path, cache = tmp_path / "file", tmp_path / ".lmcli" / "stat-cache.json"
    path.write_bytes(b"content")
    time.sleep(0.05)  # beyond the resolution of the file system's time stamps
    known = Digests(cache)
    known.file(path)
    known.save()
    return path, cache


def plant(cache: Path, sha: str) -> None:
    """Make the cache claim another digest for every file that it knows."""
    stored = {name: [*row[:4], sha] for name, row in json.loads(cache.read_bytes()).items()}
    assert stored
    cache.write_text(json.dumps(stored))


def test_an_unchanged_file_is_not_read_again(tmp_path: Path, eager_cache: None) -> None:
    path, cache = file_in_cache(tmp_path)
    plant(cache, "planted")
    assert Digests(cache).file(path) == (7, "planted")


def test_a_rewrite_of_the_same_length_with_the_old_time_stamp_is_read(tmp_path: Path, eager_cache: None) -> None:
    path, cache = file_in_cache(tmp_path)
    before = path.stat()
    path.write_bytes(b"CONTENT")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert Digests(cache).file(path) == (7, hashlib.sha256(b"CONTENT").hexdigest())


def test_a_file_replaced_by_one_with_equal_size_and_time_is_read(tmp_path: Path, eager_cache: None) -> None:
    path, cache = file_in_cache(tmp_path)
    plant(cache, "planted")
    other = tmp_path / "other"
    other.write_bytes(b"CONTENT")
    os.utime(other, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    other.replace(path)
    assert Digests(cache).file(path)[1] == hashlib.sha256(b"CONTENT").hexdigest()


def test_a_file_that_was_just_written_is_not_trusted_to_the_cache(tmp_path: Path) -> None:
    _, cache = file_in_cache(tmp_path)
    assert not cache.exists()


@pytest.mark.parametrize("text", ["", "[]", "{", '{"a": 1}', '{"a": [1, 2]}', "\x00\x00\x00\x00", '{"a": [1,2,3,4]}'])
def test_a_damaged_cache_is_ignored(tmp_path: Path, text: str) -> None:
    (tmp_path / "cache").write_text(text)
    (tmp_path / "file").write_bytes(b"x")
    assert Digests(tmp_path / "cache").file(tmp_path / "file")[1] == hashlib.sha256(b"x").hexdigest()


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path, eager_cache: None) -> None:
    path, _ = file_in_cache(tmp_path)
    (tmp_path / "blocked").write_text("a file where a folder should be")
    known = Digests(tmp_path / "blocked" / "cache.json")
    known.file(path)
    known.save()


@pytest.mark.parametrize("kind", ["link to a file", "link to a folder", "dangling link", "pipe"])
def test_a_tree_holds_plain_files_only(tree: Path, kind: str) -> None:
    target = {"link to a file": tree / "b", "link to a folder": tree / "below", "dangling link": tree / "nothing"}
    if kind == "pipe":
        os.mkfifo(tree / "special")
    else:
        (tree / "special").symlink_to(target[kind])
    with pytest.raises(ArtifactError, match=r"special is (a link|no plain file)"):
        Digests().tree(tree)


def test_a_missing_file_is_an_error_of_the_machine_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match=r"No such file.*gone\.txt"):
        Digests().file(tmp_path / "gone.txt")
