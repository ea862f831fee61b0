from __future__ import annotations

import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lmcli.corpus.config import CleanConfig
from lmcli.corpus.recipe import chain_of
from lmcli.corpus.shards import Job, Shard, count_in, parse_shard, share
from lmcli.corpus.sources import Source, resolve
from lmcli.errors import ArtifactError, UsageError
from lmcli.progress import Silent
from lmcli.project import busy, durable
from tests.conftest import Lmcli
from tests.corpus import planted
from tests.projects import command

SLURM = {"SLURM_ARRAY_TASK_ID": "3", "SLURM_ARRAY_TASK_COUNT": "7"}


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        ("2/7", {}, Shard(2, 7)),
        ("0/1", {}, Shard(0, 1)),
        ("2/7", SLURM, Shard(2, 7)),
        ("/7", SLURM, Shard(3, 7)),
        ("auto", SLURM, Shard(3, 7)),
        ("auto", {**SLURM, "SLURM_ARRAY_TASK_MIN": "1"}, Shard(2, 7)),
        ("auto", {**SLURM, "SLURM_ARRAY_TASK_MIN": "1", "SLURM_ARRAY_TASK_STEP": "2"}, Shard(1, 7)),
        ("auto", {**SLURM, "SLURM_ARRAY_TASK_MIN": ""}, Shard(3, 7)),
        ("/7", {"JOB_COMPLETION_INDEX": "3"}, Shard(3, 7)),
        ("/7", {"JOB_COMPLETION_INDEX": "3", "SLURM_ARRAY_TASK_MIN": "1"}, Shard(3, 7)),
    ],
)
def test_parse_shard(text: str, environment: dict[str, str], expected: Shard) -> None:
    assert parse_shard(text, environment) == expected


@pytest.mark.parametrize(
    ("text", "environment", "message"),
    [
        ("7/7", {}, "--shard 7/7: shards are counted from 0 to 6"),
        ("0/0", {}, "--shard 0/0: there is at least one shard"),
        ("-1/7", {}, "--shard '-1/7' is no part of a whole"),
        ("2", {}, "--shard '2' is no part of a whole"),
        ("2/", SLURM, "--shard '2/' is no part of a whole"),
        ("", SLURM, "--shard '' is no part of a whole"),
        ("1/2/3", {}, "--shard '1/2/3' is no part of a whole"),
        ("/7", {}, "--shard /7: the environment has no SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX"),
        ("/7", {"JOB_COMPLETION_INDEX": "x"}, "the environment has no SLURM_ARRAY_TASK_ID"),
        ("auto", {"JOB_COMPLETION_INDEX": "3"}, "JOB_COMPLETION_INDEX and SLURM_ARRAY_TASK_COUNT"),
        ("auto", {**SLURM, "SLURM_ARRAY_TASK_ID": "7"}, "--shard 7/7: shards are counted from 0 to 6"),
        ("auto", {**SLURM, "SLURM_ARRAY_TASK_MIN": "5"}, "is before the first"),
    ],
)
def test_parse_shard_refuses(text: str, environment: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse_shard(text, environment)
    assert message in caught.value.message
    assert "--shard 2/7" in (caught.value.hint or "")


class _Sized:
    """Stands for a path of which only the size is asked."""

    def __init__(self, size: int) -> None:
        self.st_size = size

    def stat(self) -> _Sized:
        return self


@given(st.lists(st.none() | st.integers(0, 10**15), max_size=40), st.integers(1, 60))
def test_the_shares_are_a_partition_in_order(sizes: list[int | None], count: int) -> None:
    paths: list[Any] = [None if size is None else _Sized(size) for size in sizes]
    sources = [Source(f"{number:02}", path, "txt") for number, path in enumerate(paths)]
    shares = [share(sources, Shard(index, count)) for index in range(count)]
    assert [source for part in shares for source in part] == sources


@given(st.integers(1, 30), st.integers(1, 20))
def test_equal_files_make_equal_shares(each: int, count: int) -> None:
    same: Any = _Sized(1000)
    sources = [Source(f"{number:03}", same, "txt") for number in range(each * count)]
    assert {len(share(sources, Shard(index, count))) for index in range(count)} == {each}


def job(root: Path, count: int, **settings: Any) -> Job:
    config = CleanConfig(duplicates="near", **settings)
    folder = root / "shards"
    return Job(resolve(["corpus/"], root), config, chain_of(config, root), folder, count)


def files_of(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_shard_is_made_once(tmp_path: Path) -> None:
    planted.write_planted(tmp_path / "corpus")
    work = job(tmp_path, 3)
    assert work.missing() == [0, 1, 2]
    assert work.map(1, 1, Silent())
    assert not work.map(1, 1, Silent())
    assert work.missing() == [0, 2]
    with pytest.raises(ArtifactError, match="2 of 3 shards are missing: 0/3, 2/3") as caught:
        work.shards()
    assert caught.value.hint == "make each with: lmcli clean --shard 0/3"


def test_pairs_are_kept_beside_the_shards(tmp_path: Path) -> None:
    planted.write_planted(tmp_path / "corpus")
    work = job(tmp_path, 2)
    for index in range(2):
        work.map(index, 1, Silent())
    assert work.edges() is None
    for bucket in (0, 1, 0):
        work.match(bucket)
    assert work.unmatched() == list(range(2, 14))
    for bucket in work.unmatched():
        work.match(bucket)
    edges = work.edges()
    assert edges is not None
    assert len(edges) == 14
    assert {len(pairs) >= 8 for pairs in edges} == {True}  # each holds the exact copies


def test_how_many_shards_there_are_is_seen_by_those_that_are_there(tmp_path: Path) -> None:
    for name in (
        "logs",
        "shard-00000-of-00002",
        "shard-00001-of-00003",
        "shard-00002-of-00003",
        ".tmp-shard-00001-of-7",
    ):
        (tmp_path / name).mkdir()
    assert count_in(tmp_path) == 3
    (tmp_path / "shard-00001-of-00002").mkdir()
    assert count_in(tmp_path) == 2  # the complete set
    assert count_in(tmp_path / "nothing") is None


def _map(root: Path, barrier: Any) -> None:
    waiting: list[bool] = []

    def wait(operation: str, path: Path) -> None:
        if operation == "replace" and path.name.startswith("shard-") and not waiting:
            waiting.append(True)
            barrier.wait(60)

    durable.on_operation = wait
    job(root, 1).map(0, 1, Silent())


def test_two_processes_make_the_same_shard(tmp_path: Path) -> None:
    """Both have it ready before either gives it its name: the second finds it there."""
    planted.write_planted(tmp_path / "corpus")
    context = multiprocessing.get_context("spawn")
    barrier = context.Barrier(2)
    processes = [context.Process(target=_map, args=(tmp_path, barrier)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(90)
    assert [process.exitcode for process in processes] == [0, 0]
    assert [path.name for path in (tmp_path / "shards").iterdir()] == ["shard-00000-of-00001"]
    alone = job(tmp_path, 1)
    made = files_of(alone.folder)
    alone.folder.rename(tmp_path / "other")
    alone.map(0, 1, Silent())
    assert files_of(alone.folder) == made


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = planted.project(tmp_path_factory.mktemp("whole") / "project")
    assert command(root, *planted.CLEAN, "--workers", 1) == 0
    return planted.digest(root)


@pytest.mark.parametrize("count", [1, 3, 7])
def test_the_corpus_is_the_same_for_every_count(tmp_path: Path, count: int, expected: str) -> None:
    """Seven shards of five files: some are empty."""
    root = planted.project(tmp_path)
    for index in reversed(range(count)):
        assert command(root, *planted.CLEAN, "--workers", 1, "--shard", f"{index}/{count}") == 0
    assert command(root, *planted.CLEAN, "--merge") == 0
    assert planted.digest(root) == expected
    assert not list((root / "runs" / "clean").iterdir())


def test_a_shard_needs_no_lock_of_the_project(lmcli: Lmcli, folder: Path) -> None:
    planted.project(folder)
    with busy.writing(folder):
        ran = lmcli(*planted.CLEAN, "--workers", 1, "--shard", "0/2")
        assert (ran.code, "1 of 2 shards are missing" in ran.out) == (0, True)
        assert lmcli(*planted.CLEAN, "--merge").code == 4
        assert lmcli(*planted.CLEAN, "--workers", 1, "--shard", "1/2").out.endswith(
            "all are there: lmcli clean --merge\n"
        )
        assert lmcli(*planted.CLEAN, "--merge").code == 6


def test_other_settings_and_changed_files_are_another_job(lmcli: Lmcli, folder: Path) -> None:
    planted.project(folder)
    line = (*planted.CLEAN, "--workers", 1, "--shard", "0/1")
    assert lmcli(*line).code == 0
    assert lmcli(*line).out.startswith("shard 0/1 was there already")
    assert lmcli(*line, "--set", "clean.min_characters=2").out.startswith("shard 0/1 -> runs/clean/")
    for path in (folder / "corpus" / "a.jsonl", folder / "corpus" / "e.txt"):
        os.utime(path, (1, 1))
        assert lmcli(*line).out.startswith("shard 0/1 -> runs/clean/")
    assert len(list((folder / "runs" / "clean").iterdir())) == 4


def test_what_is_missing_is_named(lmcli: Lmcli, folder: Path) -> None:
    planted.project(folder)
    assert "there are no shards of this corpus" in lmcli(*planted.CLEAN, "--merge").err
    assert lmcli(*planted.CLEAN, "--workers", 1, "--shard", "1/3").code == 0
    ran = lmcli(*planted.CLEAN, "--merge")
    assert ran.code == 4
    assert "2 of 3 shards are missing: 0/3, 2/3 - make each with: lmcli clean --shard 0/3" in ran.err
