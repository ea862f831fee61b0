from __future__ import annotations

import json
import os
import signal
from pathlib import Path

from tests.corpus import planted
from tests.projects import lock


def test_the_corpus_is_that_of_one_process(root: Path, expected: str) -> None:
    code, out, err = planted.finish(planted.start(root, *planted.CLEAN, "--engine", "local", "--tasks", 3))
    assert (code, planted.digest(root)) == (0, expected), err
    assert "documents kept" in out
    assert planted.remarks(err) == ["merging 3 shards"]
    assert not list((root / "runs" / "clean").iterdir())
    dropped = lock(root)["clean"]["report"]["dropped"]
    assert {reason: dropped[reason] for reason in planted.PLANTED} == planted.PLANTED


def test_one_worker_and_more_tasks_than_files(root: Path, expected: str) -> None:
    line = (*planted.CLEAN, "--engine", "local", "--tasks", 7, "--workers", 1, "--json")
    code, out, err = planted.finish(planted.start(root, *line))
    assert (code, planted.digest(root)) == (0, expected), err
    assert json.loads(out)["artifacts"][0]["made"]
    code, out, err = planted.finish(planted.start(root, *line))
    assert (code, json.loads(out)["artifacts"][0]["made"], err) == (0, False, "")


def test_a_task_that_fails_says_why(root: Path, expected: str) -> None:
    bad = root / "corpus" / "f.txt"
    bad.write_bytes(b"good\n\xff\xfe\xfa bad \x81\n" * 300)
    line = (*planted.CLEAN, "--encoding", "utf-8", "--engine", "local", "--tasks", 3, "--workers", 2)
    code, out, err = planted.finish(planted.start(root, *line))
    assert (code, out) == (3, "")
    assert "error: corpus/f.txt" in err
    assert "Traceback" not in err
    assert not planted.is_made(root)
    bad.unlink()
    code, _, err = planted.finish(planted.start(root, *line))
    assert code == 0, err


def test_a_task_that_is_killed_is_named_and_the_next_run_goes_on(root: Path, expected: str) -> None:
    line = (*planted.CLEAN, "--engine", "local", "--tasks", 3, "--workers", 2)
    process = planted.start(root, *line)
    pid = planted.working(root, 1)
    os.kill(pid, signal.SIGKILL)
    code, out, err = planted.finish(process)
    assert (code, out) == (5, "")
    assert f"shard 1/3: its process ({pid}) was killed" in err
    assert not planted.is_made(root)
    code, _, err = planted.finish(planted.start(root, *line))
    assert (code, planted.digest(root)) == (0, expected), err
