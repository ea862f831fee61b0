from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from lmcli.errors import ArtifactError
from lmcli.project import lock
from lmcli.project.lock import Entry, Generation, InputRecord, Manifest, Override
from tests.faults import scratch


def entry(name: str = "tokens", content: str = "a", **more: object) -> Entry:
    digest = content * 64
    values = {
        "name": name, "kind": "tokens", "path": f"artifacts/{name}/{digest[:8]}", "digest": digest, "bytes": 12,
        "stage": "tokens", "revision": 1, "requested": {"split": "auto"}, "inputs": {},
    }  # fmt: skip
    return Entry(**(values | more))  # type: ignore[arg-type]


FULL = entry(
    inputs={"corpus": InputRecord("c" * 64), "tokenizer": InputRecord("d" * 64, "tokenizer")},
    overrides={"tokens.split": Override("tail", None), "project.inputs": Override(["x/"], ["corpus/"])},
    seed=3,
    versions={"lmcli": "0.1.0"},
    plan={"batch": 8, "lr": 0.1},
    report={"text": "naïve 文", "loss": 1.5, "counts": {2: 1, 10: 2}},
    history=(Generation("artifacts/tokens/bbbbbbbb", "b" * 64),),
)


def saved(tmp_path: Path, manifest: Manifest) -> Path:
    lock.save(tmp_path / "lmcli.lock", manifest)
    return tmp_path / "lmcli.lock"


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    manifest = Manifest({"tokens": FULL, "model": entry("model")})
    loaded = lock.load(saved(tmp_path, manifest))
    as_text = {**FULL.report, "counts": {"2": 1, "10": 2}}  # JSON has no other keys
    assert loaded == Manifest({"tokens": replace(FULL, report=as_text), "model": entry("model")})


def test_the_file_is_sorted_readable_and_the_same_each_time(tmp_path: Path) -> None:
    path = saved(tmp_path, Manifest({"b": entry("b"), "a": FULL}))
    first = path.read_bytes()
    assert saved(tmp_path, Manifest({"a": FULL, "b": entry("b")})).read_bytes() == first
    assert "naïve 文" in first.decode()
    document = json.loads(first)
    assert json.dumps(document, indent=1, sort_keys=True, ensure_ascii=False).encode() + b"\n" == first


@pytest.mark.parametrize("name", ["caf\udce9.txt", "\ud83d\ude00", "\x00\x1b\n\u2028"])
def test_names_in_any_bytes_survive(tmp_path: Path, name: str) -> None:
    path = saved(tmp_path, Manifest({"tokens": entry(report={"worst": name})}))
    found = lock.load(path).entries["tokens"].report["worst"]
    assert found.encode("utf-16", "surrogatepass") == name.encode("utf-16", "surrogatepass")
    path.read_text(encoding="utf-8")


def damage(path: Path, data: bytes, intact: Manifest) -> None:
    """What was written instead of the lock is refused, or says exactly the same (white space at the end)."""
    path.write_bytes(data)
    try:
        found = lock.load(path)
    except ArtifactError as error:
        assert error.exit_code == 4
        assert error.hint
        assert str(path) in error.message
    else:
        assert found == intact


@pytest.fixture
def memory() -> Iterator[Path]:
    with scratch() as folder:
        yield folder


def test_a_lock_cut_at_any_byte_is_refused(memory: Path) -> None:
    path = saved(memory, Manifest({"tokens": entry()}))
    data, intact = path.read_bytes(), lock.load(path)
    for length in range(len(data)):
        damage(path, data[:length], intact)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ArtifactError, match="is damaged"):
        lock.load(path)


def test_a_flipped_bit_anywhere_is_refused(memory: Path) -> None:
    path = saved(memory, Manifest({"t": entry("t", report={"loss": 1.5, "text": "文"})}))
    data, intact = path.read_bytes(), lock.load(path)
    for place in range(len(data)):
        for bit in range(8):
            flipped = bytearray(data)
            flipped[place] ^= 1 << bit
            damage(path, bytes(flipped), intact)


def forge(path: Path, **changes: object) -> None:
    """Edit the lock as someone who knows the checksum would."""
    document = json.loads(path.read_bytes())
    for dotted, value in changes.items():
        *way, last = dotted.split("__")
        place = document
        for part in way:
            place = place[part]
        place[last] = value
    document["checksum"] = lock._checksum(document)
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    "change",
    [
        {"artifacts": []},
        {"artifacts__tokens": 3},
        {"artifacts__tokens__unknown": 3},
        {"artifacts__tokens__inputs": []},
        {"artifacts__tokens__overrides": {"a": {"value": 1}}},
        {"artifacts__tokens__history": None},
        {"artifacts__tokens__path": 3},
    ],
)
def test_a_wrong_structure_with_a_right_checksum_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    path = saved(tmp_path, Manifest({"tokens": entry()}))
    forge(path, **change)
    with pytest.raises(ArtifactError, match="is damaged"):
        lock.load(path)


@pytest.mark.parametrize(
    "place",
    ["/etc", "../other/artifacts/x", "artifacts/../../x", "artifacts/a/../..", "corpus", "artifacts", "",
     "artifacts/tokens", "artifacts/a/b/c", "runs/model/x"],
)  # fmt: skip
@pytest.mark.parametrize("where", ["path", "history"])
def test_a_path_that_is_no_place_of_an_artifact_is_refused(tmp_path: Path, place: str, where: str) -> None:
    path = saved(tmp_path, Manifest({"tokens": entry()}))
    value = place if where == "path" else [{"path": place, "digest": "b" * 64}]
    forge(path, **{f"artifacts__tokens__{where}": value})
    with pytest.raises(ArtifactError, match=r"lmcli\.lock places tokens at .*artifacts/"):
        lock.load(path)


def test_a_lock_of_a_newer_lmcli_names_it_and_is_not_touched(tmp_path: Path) -> None:
    path = saved(tmp_path, Manifest())
    forge(path, schema=lock.SCHEMA + 1, lmcli="7.0.0")
    before = path.read_bytes()
    with pytest.raises(ArtifactError, match=r"needs lmcli >= 7\.0\.0; this is lmcli \d") as caught:
        lock.load(path)
    assert caught.value.hint == "upgrade lmcli, or use the version that wrote the project"
    assert path.read_bytes() == before


def test_no_lock_means_nothing_was_made_unless_there_are_artifacts(tmp_path: Path) -> None:
    assert lock.load(tmp_path / "lmcli.lock") == Manifest()
    (tmp_path / "artifacts" / "tokens" / "aaaaaaaa").mkdir(parents=True)
    with pytest.raises(ArtifactError, match="is missing although artifacts/ holds results") as caught:
        lock.load(tmp_path / "lmcli.lock")
    assert "lmcli.lock.bak" in str(caught.value.hint)


def test_the_lock_before_is_kept_and_can_be_put_back(tmp_path: Path) -> None:
    old = saved(tmp_path, Manifest({"tokens": entry()})).read_bytes()
    path = saved(tmp_path, Manifest({"tokens": entry(content="b")}))
    assert path.read_bytes() != old
    assert (tmp_path / ".lmcli" / "lmcli.lock.bak").read_bytes() == old
    path.write_bytes(lock.backup_of(path).read_bytes())
    assert lock.load(path) == Manifest({"tokens": entry()})


def test_three_generations_are_kept_the_current_one_included() -> None:
    manifest = Manifest()
    for content in "abcd":
        manifest = manifest.with_entry(entry(content=content))
    assert manifest.paths() == {f"artifacts/tokens/{content * 8}": content * 64 for content in "dcb"}


@pytest.mark.parametrize("end", ["", "/"])
def test_an_earlier_generation_that_the_current_one_is_made_from_is_kept_with_it(end: str) -> None:
    first = entry("model")
    manifest = Manifest().with_entry(first)
    for content in "bcde":
        further = entry("model", content, requested={"train": {"continue_from": first.path + end}})
        manifest = manifest.with_entry(further)
    assert set(manifest.paths().values()) == {content * 64 for content in "edca"}
    manifest = manifest.with_entry(entry("model", "f"))
    assert set(manifest.paths().values()) == {content * 64 for content in "fed"}


def test_a_generation_that_comes_back_is_not_listed_twice() -> None:
    manifest = Manifest()
    for content in "aba":
        manifest = manifest.with_entry(entry(content=content))
    assert manifest.entries["tokens"].digest == "a" * 64
    assert [item.digest for item in manifest.entries["tokens"].history] == ["b" * 64]
    again = manifest.with_entry(entry(content="a", report={"new": 1}))
    assert again.entries["tokens"].history == manifest.entries["tokens"].history
