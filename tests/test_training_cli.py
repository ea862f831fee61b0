"""Settings of training given to commands: what they make, and that nothing is stale afterwards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.conftest import Lmcli
from tests.projects import TINY, digests, lock

ALL = (
    *("train", "--steps", 8, "--name", "other", *TINY),
    *("--set", "train.optimizer=torch.optim:NAdam", "--set", "train.optimizer.options.lr=0.004"),
    *("--set", "train.schedule=piecewise", "--set", "train.schedule.points=[[0, 0], [0.5, 1], [1, 0.25]]"),
    *("--set", "train.ema=0.9", "--set", "train.l2=0.001", "--set", "train.keep=2"),
)


def test_a_time_is_repeated_step_for_step_where_the_run_is_gone(lmcli: Lmcli, trained: Path) -> None:
    """The lock has what a budget came to, and what was made of it on the way."""
    assert lmcli("train", "--budget", "6s", "--set", "model.width=64", "--set", "model.depth=1").code == 0
    before, entry = digests(trained)["model"], lock(trained)["model"]
    assert entry["plan"]["replans"][-1]["steps"] == entry["report"]["steps"]
    shutil.rmtree(trained / "runs")
    shutil.rmtree(trained / "artifacts" / "model")
    ran = lmcli("run")
    assert ran.code == 0, ran.err
    assert f"{entry['report']['steps']} steps, as lmcli.lock has them" in ran.err
    assert digests(trained)["model"] == before


def test_every_control_at_once_makes_a_model_that_stays_fresh(lmcli: Lmcli, trained: Path) -> None:
    made = lmcli(*ALL)
    assert made.code == 0, made.err
    assert lmcli(*ALL).out.startswith("other is up to date")
    assert "nothing to do" in lmcli("run").out
    requested = lock(trained)["other"]["requested"]["train"]
    assert requested["optimizer"] == {"name": "custom", "target": "torch.optim:NAdam", "options": {"lr": 0.004}}
    assert requested["schedule"]["points"] == [[0.0, 0.0], [0.5, 1.0], [1.0, 0.25]]
    assert "keep" not in requested
    pointer = json.loads((trained / "runs" / "other" / "checkpoints.json").read_text())
    assert (pointer["last"]["step"], [item["step"] for item in pointer["earlier"]]) == (8, [4])
    assert lmcli("generate", "The", "--model", "other", "--max-tokens", 3).code == 0


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("train.optimizer=no_such:Rule", "no_such"),
        ("train.optimizer=adamm", "train.optimizer"),
        ("train.on_nonfinite=skip", "neither stop nor skip:N"),
        ("train.schedule.points=[[0, 1]]", "points"),
        ("train.ema=1", "train.ema"),
    ],
)
def test_what_is_not_possible_is_told_before_training(lmcli: Lmcli, trained: Path, setting: str, message: str) -> None:
    ran = lmcli("train", "--steps", 2, "--name", "other", *TINY, "--set", setting)
    assert ran.code == 3
    assert message in ran.err
    assert "Traceback" not in ran.err
    assert "other" not in lock(trained)
