from __future__ import annotations

import errno
from pathlib import Path

import pytest

from lmcli.training.metrics import MetricsLog, read_metrics
from tests.training.tiny import operations


def log(path: Path, steps: int) -> MetricsLog:
    metrics = MetricsLog(path / "metrics.jsonl")
    for step in range(1, steps + 1):
        metrics.append({"step": step, "loss": 1.0})
    return metrics


def steps(path: Path) -> list[int]:
    return [row["step"] for row in read_metrics(path / "metrics.jsonl")]


def test_rows_come_back_in_order(tmp_path: Path) -> None:
    log(tmp_path, 3).sync()
    assert steps(tmp_path) == [1, 2, 3]
    assert read_metrics(tmp_path / "nothing") == []


@pytest.mark.parametrize("tail", ["", '{"step": 4, "lo', "\n", "garbage\n", '{"loss": 1}\n', '{"step": 3}'])
def test_rows_after_the_checkpoint_and_cut_lines_are_dropped(tail: str, tmp_path: Path) -> None:
    metrics = log(tmp_path, 3)
    with metrics.path.open("a") as file:
        file.write(tail)
    metrics.keep_until(2)
    assert steps(tmp_path) == [1, 2]
    metrics.append({"step": 3})
    assert steps(tmp_path) == [1, 2, 3]
    assert metrics.path.read_text().count("\n") == 3


def test_a_log_that_is_fine_is_not_rewritten(tmp_path: Path) -> None:
    metrics = log(tmp_path, 3)
    before = metrics.path.stat().st_ino
    metrics.keep_until(3)
    assert metrics.path.stat().st_ino == before


def test_a_full_disk_costs_rows_but_leaves_whole_lines(tmp_path: Path) -> None:
    metrics = log(tmp_path, 2)

    def full(operation: str, path: Path) -> None:
        with path.open("a") as file:
            file.write('{"step": 3, "lo')
        raise OSError(errno.ENOSPC, "No space left on device")

    with operations(full):
        metrics.append({"step": 3})
    metrics.append({"step": 4})
    assert steps(tmp_path) == [1, 2, 4]
    assert metrics.failure is not None
    assert metrics.failure.errno == errno.ENOSPC
