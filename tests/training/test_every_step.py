"""40 steps over real windows, a little more than 3 passes, 3 micro-batches a step: stopped anywhere and resumed."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch import nn

from lmcli.errors import Stopped
from lmcli.tokens.shards import TokenStream
from lmcli.tokens.window_batch import WindowBatch
from lmcli.tokens.windows import Windows
from lmcli.training.checkpoints import Checkpoints
from lmcli.training.ingredients import Probe
from lmcli.training.metrics import read_metrics
from tests.training.test_pretrain import SMALL, corpus, run
from tests.training.tiny import weights_digest

STEPS, ROWS, CONTEXT = 40, 7, int(SMALL["context"])
SETTINGS = {"batch_tokens": ROWS * CONTEXT, "micro_batch": 3, "eval_every": 9, "save_every": 6}


@dataclass
class Course:
    """What a run went through: digests of weights and optimizer by step, the windows of each step, the log."""

    checkpoints: dict[int, dict[str, str]] = field(default_factory=dict)
    windows: dict[int, np.ndarray] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    model: str = ""


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus(tmp_path_factory.mktemp("corpus"))


@pytest.fixture
def course(monkeypatch: pytest.MonkeyPatch) -> Iterator[Course]:
    """Fills while runs go on; `watch` empties it."""
    found = Course()
    save, draw = Checkpoints.save, Windows.at

    def saved(self: Checkpoints, state: Any, *rest: Any, **options: Any) -> None:
        save(self, state, *rest, **options)
        assert self.last is not None
        found.checkpoints[state.step] = {name: d for name, d in self.last.digests.items() if name != "state.json"}

    def drawn(self: Windows, step: int) -> WindowBatch:
        batch = draw(self, step)
        found.windows[step + 1] = batch.ids
        return batch

    monkeypatch.setattr(Checkpoints, "save", saved)
    monkeypatch.setattr(Windows, "at", drawn)
    yield found


def stopping_at(steps: set[int]) -> tuple[Probe, ...]:
    def stop(step: int, model: nn.Module) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    return (Probe(lambda step: step in steps, stop),)


def train(tokens: Path, path: Path, course: Course, stops: list[int], **settings: Any) -> Course:
    """Train to the end through all `stops`, each in a new call; the course as it is at the end."""
    for stop in stops:
        with pytest.raises(Stopped):
            run(tokens, path, f"{STEPS} steps", probes=stopping_at({stop}), **{**SETTINGS, **settings})
    outcome = run(tokens, path, f"{STEPS} steps", **{**SETTINGS, **settings})
    rows = [{k: v for k, v in row.items() if k not in ("elapsed", "tokens_per_second")} for row in logged(path)]
    done = Course(dict(course.checkpoints), dict(course.windows), rows, weights_digest(outcome.model))
    course.checkpoints.clear()
    course.windows.clear()
    return done


def logged(path: Path) -> list[dict[str, Any]]:
    return read_metrics(path / "metrics.jsonl")


def same(one: Course, other: Course) -> None:
    """The common checkpoints, all windows, every logged figure, the result."""
    common = one.checkpoints.keys() & other.checkpoints.keys()
    assert common
    assert {step: one.checkpoints[step] for step in common} == {step: other.checkpoints[step] for step in common}
    assert one.windows.keys() == other.windows.keys()
    assert all(np.array_equal(one.windows[step], other.windows[step]) for step in one.windows)
    assert one.rows == other.rows
    assert one.model == other.model


@pytest.mark.parametrize("optimizer", ["adamw", pytest.param("muon", marks=pytest.mark.slow)])
def test_stopped_after_every_step_in_turn(optimizer: str, tokens: Path, tmp_path: Path, course: Course) -> None:
    """After each of the 40 steps the state is that of the run without a stop, and so is what follows."""
    settings: dict[str, Any] = {"optimizer": {"name": optimizer}}
    whole = train(tokens, tmp_path / "whole", course, [], **settings, save_every=1)
    assert whole.checkpoints.keys() == set(range(1, STEPS + 1))
    assert [row["step"] for row in whole.rows] == list(range(1, STEPS + 1))
    same(train(tokens, tmp_path / "cut", course, list(range(1, STEPS)), **settings), whole)


@pytest.mark.slow
@pytest.mark.parametrize("step", range(1, STEPS))
def test_stopped_once_at_any_step(step: int, tokens: Path, tmp_path: Path, course: Course) -> None:
    whole = train(tokens, tmp_path / "whole", course, [], save_every=1)
    same(train(tokens, tmp_path / "cut", course, [step]), whole)


def test_resumed_every_third_step(tokens: Path, tmp_path: Path, course: Course) -> None:
    whole = train(tokens, tmp_path / "whole", course, [])
    same(train(tokens, tmp_path / "cut", course, list(range(3, STEPS, 3))), whole)


def test_every_pass_shows_each_window_once_through_stops(tokens: Path, tmp_path: Path, course: Course) -> None:
    cut = train(tokens, tmp_path / "cut", course, [2, 13, 14, 30])
    stream = TokenStream.open(tokens, "train")
    count = len(stream) // CONTEXT
    assert 3 * count <= STEPS * ROWS
    shown = np.concatenate([cut.windows[step] for step in range(1, STEPS + 1)])
    for first in range(0, 3 * count, count):
        in_order = shown[first : first + count, :-1]
        assert len(in_order) == count
        once = np.sort(in_order.flatten())  # a pass shows as many of each token as the stream has, but for its rest
        rest = len(stream) - count * CONTEXT
        missing = np.bincount(stream.take(0, len(stream)), minlength=stream.vocab_size)
        missing = missing - np.bincount(once, minlength=stream.vocab_size)
        assert missing.min() >= 0
        assert missing.sum() == rest


def test_two_threads_end_near_one(tokens: Path, tmp_path: Path) -> None:
    """Equality is promised for the same number of threads only; with another the loss stays the same to 1e-4."""
    ends = []
    for threads in (1, 2):
        outcome = run(tokens, tmp_path / str(threads), "50 steps", threads=threads, dtype="float32")
        assert outcome.plan.threads == threads
        assert outcome.last is not None
        ends.append(outcome.last.loss)
    assert ends[0] == pytest.approx(ends[1], abs=1e-4)
