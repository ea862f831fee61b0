"""The same seed gives the same run, on the threads that are recorded; the tokens of a run add up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from lmcli.objectives.supervised import Example, Supervised
from lmcli.training.optimizers.muon import Muon
from lmcli.training.plan import Timeline
from lmcli.training.run import RunDirectory
from lmcli.training.schedules import SCHEDULES
from lmcli.training.sources import RowSource
from tests.training.test_pretrain import corpus, run
from tests.training.tiny import ingredients, run_digest, run_tiny, weights_digest


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus(tmp_path_factory.mktemp("corpus"))


def test_five_runs_of_a_seed_are_one_and_five_seeds_are_five(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    found: dict[int, set[str]] = {}
    for number, seed in enumerate([11] * 5 + [12, 13, 14, 15, 16]):
        parts = ingredients(Muon(), validate=None)
        parts.stepper._seed = seed
        run_tiny(tmp_path / str(number), parts, steps=4)
        found.setdefault(seed, set()).add(run_digest(tmp_path / str(number))["last model.safetensors"])
    assert all(len(digests) == 1 for digests in found.values())
    assert len(set.union(*found.values())) == 6


def test_seeds_reach_weights_and_order(tokens: Path, tmp_path: Path) -> None:
    ends = [weights_digest(run(tokens, tmp_path / str(n), "3 steps", seed=s).model) for n, s in enumerate((1, 1, 2))]
    assert ends[0] == ends[1] != ends[2]


def test_threads_are_recorded_and_a_run_goes_on_with_them(
    tokens: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the environment says by then: another number would give other bits."""
    outcome = run(tokens, tmp_path / "run", "3 steps", threads=1)
    plan = RunDirectory(tmp_path / "run", "key").plan
    assert plan is not None
    assert plan.threads == outcome.plan.threads == 1
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        monkeypatch.setenv(name, "2")
    torch.set_num_threads(2)
    run(tokens, tmp_path / "run", "3 steps", threads=2)
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(
    ("rows", "epochs", "steps"), [(4, 1.0, 3), (4, 2.0, 5), (3, 2.0, 7), (20, 1.0, 1), (4, 0.5, 2)]
)
def test_a_last_batch_that_is_not_full_is_a_step_of_its_own(rows: int, epochs: float, steps: int) -> None:
    """Each row as often as asked, each of its targets once, however the last batch and its micro-batches come out."""

    examples = [Example(np.arange(length, dtype=np.int64) % 7 + 1, 1) for length in range(3, 13)]
    source = RowSource(examples, Supervised(0), rows=rows, micro_rows=2, seed=3, epochs=epochs)
    assert source.steps == steps
    batches = [batch for step in range(1, steps + 1) for batch in source(step)]
    seen = [index for step in range(1, steps + 1) for index in source.indices(step)]
    assert len(seen) == round(epochs * len(examples))
    assert sum(batch.tokens for batch in batches) == sum(len(examples[index].tokens) - 1 for index in seen)
    assert all(len(batch.inputs) <= 2 for batch in batches)


@pytest.mark.parametrize("name", list(SCHEDULES))
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_every_step_of_a_short_run_has_a_rate(name: str, steps: int) -> None:
    schedule, timeline = SCHEDULES.load(name)(), Timeline(steps)
    assert all(0 < schedule.multiplier(timeline.progress(step - 0.5)) <= 1 for step in range(1, steps + 1))
