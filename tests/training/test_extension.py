"""A run that is made longer after its cooldown ends like one that was to be that long, wherever it was stopped."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.errors import ArtifactError, ConfigError, Stopped
from lmcli.progress import Silent
from lmcli.training.clock import Clock
from lmcli.training.extension import asker, cooldown_start, extended, outlook, settle
from lmcli.training.length import Length, Longer, parse_longer
from lmcli.training.loop import train
from lmcli.training.metrics import read_metrics
from lmcli.training.optimizers.adamw import AdamW
from lmcli.training.optimizers.muon import Muon
from lmcli.training.plan import Budget, Extension, Replan, Timeline
from lmcli.training.run import RunDirectory
from lmcli.training.schedules.constant import Constant
from lmcli.training.schedules.cosine import Cosine
from lmcli.training.schedules.shape import Schedule
from lmcli.training.schedules.wsd import Wsd
from lmcli.training.state import State
from tests.training.test_resume import signalled_in
from tests.training.tiny import STEPS, Optimizers, ingredients, plan, run_digest

START = 1 - Wsd().cooldown
STABLE = 8
"""The last of 21 steps whose middle lies before the cooldown: (8 - 0.5) / 21 < 0.4 < (9 - 0.5) / 21."""


def run_longer(
    path: Path,
    asked: str,
    optimizer: Optimizers | None = None,
    schedule: Schedule | None = None,
    steps: int = STEPS,
    **changes: Any,
) -> State:
    """Train as a command would whose settings ask for an extension."""
    schedule = schedule or Wsd()
    run = RunDirectory(path, "key")
    settle(run, asked, schedule, "digest of the model")
    if run.plan is None:
        run.begin(plan(steps=steps, eval_every=5))
    parts = ingredients(optimizer or AdamW(), schedule=schedule, **changes)
    parts = replace(parts, cooldown_start=cooldown_start(schedule))
    if asked:
        parts = replace(parts, extend=asker(asked, run, schedule))
    return train(run, parts, Silent(), Clock(0.0, lambda: 0.0))


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2x", Longer("times", None, 2.0)),
        (" 1.5 X", Longer("times", None, 1.5)),
        ("+2000 steps", Longer("more", Length(2000, "steps"))),
        ("+5m", Longer("more", Length(300, "seconds"))),
        ("10m", Longer("total", Length(600, "seconds"))),
        ("4 epochs", Longer("total", Length(4, "epochs"))),
    ],
)
def test_longer_lengths_are_read(text: str, expected: Longer) -> None:
    assert parse_longer(text) == expected


@pytest.mark.parametrize("text", ["x", "1x", "0.5x", "2", "+", "+0 steps", "0 steps", "-5m", "2x 5m", "++5m"])
def test_what_is_no_longer_length_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse_longer(text)


@settings(deadline=None, max_examples=200)
@given(
    planned=st.integers(3, 400),
    factor=st.floats(1.0, 6.0),
    cooldown=st.floats(0.05, 0.9),
    again=st.floats(1.0, 3.0),
    replanned=st.none() | st.floats(0.6, 1.7),
)
def test_an_extended_timeline_rises_and_cools_down_as_if_it_had_been_planned(
    planned: int, factor: float, cooldown: float, again: float, replanned: float | None
) -> None:
    schedule = Wsd(cooldown=cooldown, warmup=0.0)
    start = cooldown_start(schedule)
    assert start is not None
    replans: tuple[Replan, ...] = ()
    if replanned is not None:
        at = max(1, int(start * planned))
        replans = (Replan(at, max(at + 1, round(replanned * planned))),)
    timeline = Timeline(planned, replans)
    for times in (factor, factor * again):
        stable = [step for step in range(timeline.steps) if timeline.cools_down_after(step, start)]
        if not stable:
            return
        assert len(stable) == 1
        steps = max(timeline.steps + 1, round(times * timeline.unextended.steps))
        extension = Extension("", stable[0], steps, start)
        before = [timeline.progress(step) for step in range(stable[0])]
        timeline = replace(timeline, extensions=(*timeline.extensions, extension))
        assert [timeline.progress(step) for step in range(stable[0])] == before
    middles = [timeline.progress(step - 0.5) for step in range(1, timeline.steps + 1)]
    assert all(early <= late for early, late in itertools.pairwise(middles))
    assert timeline.progress(timeline.steps) == pytest.approx(1.0)
    for step, progress in enumerate(middles, start=1):
        if step - 0.5 <= max(stable[0], start * steps):
            assert schedule.multiplier(progress) == 1.0
        elif start * steps >= stable[0]:
            assert progress == pytest.approx((step - 0.5) / steps)


def test_the_checkpoint_before_the_cooldown_is_kept_with_its_optimizer(tmp_path: Path) -> None:
    run_longer(tmp_path, "")
    checkpoints = RunDirectory(tmp_path, "key").checkpoints
    assert checkpoints.stable is not None
    assert checkpoints.stable.step == STABLE
    assert set(checkpoints.stable.digests) == {"model.safetensors", "optimizer.safetensors", "state.json"}
    assert checkpoints.stable_state().step == STABLE


@pytest.mark.parametrize("schedule", [Cosine(), Constant(), Wsd(cooldown=1.0)])
def test_schedules_without_a_stretch_before_a_cooldown_keep_none_and_are_not_extended(
    schedule: Schedule, tmp_path: Path
) -> None:
    run_longer(tmp_path, "", schedule=schedule)
    assert RunDirectory(tmp_path, "key").checkpoints.stable is None
    before = run_digest(tmp_path)
    with pytest.raises(ConfigError, match="has no stretch before a cooldown"):
        run_longer(tmp_path, "2x", schedule=schedule)
    assert run_digest(tmp_path) == before


@pytest.mark.parametrize("optimizer", [AdamW(), Muon()])
def test_extending_equals_having_asked_for_it_at_first(optimizer: Optimizers, tmp_path: Path) -> None:
    run_longer(tmp_path / "later", "", optimizer)
    assert run_longer(tmp_path / "later", "2x", optimizer).step == 2 * STEPS
    assert run_longer(tmp_path / "first", "2x", optimizer).step == 2 * STEPS
    assert run_digest(tmp_path / "later") == run_digest(tmp_path / "first")
    kept = read_metrics(tmp_path / "later" / f"metrics-until-{STEPS:08d}.jsonl")
    assert [row["step"] for row in kept] == list(range(1, STEPS + 1))


def test_it_ends_like_a_run_of_that_length_from_its_beginning(tmp_path: Path) -> None:
    schedule = Wsd(warmup=0.0)
    run_longer(tmp_path / "longer", "", schedule=schedule)
    run_longer(tmp_path / "longer", f"+{STEPS} steps", schedule=schedule)
    run = RunDirectory(tmp_path / "planned", "key")
    run.begin(plan(steps=2 * STEPS))
    train(run, ingredients(AdamW(), schedule=schedule), Silent(), Clock(0.0, lambda: 0.0))
    ends = [RunDirectory(tmp_path / name, "key").checkpoints.load_last()[0] for name in ("longer", "planned")]
    for name, tensor in ends[0].items():
        torch.testing.assert_close(tensor, ends[1][name], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("step", [STABLE - 1, STABLE, STABLE + 1, 14, 17, 18, STEPS, 2 * STEPS])
def test_stopped_while_it_is_extended(step: int, tmp_path: Path) -> None:
    run_longer(tmp_path / "whole", "2x")
    path = tmp_path / "cut"
    if step > STABLE:
        run_longer(path, "")
    with pytest.raises(Stopped):
        run_longer(path, "2x", wrap=signalled_in(step, 1))
    run_longer(path, "2x")
    assert run_digest(path) == run_digest(tmp_path / "whole")


def test_extended_twice(tmp_path: Path) -> None:
    run_longer(tmp_path / "twice", "")
    run_longer(tmp_path / "twice", "2x")
    run_longer(tmp_path / "twice", "3x")
    run_longer(tmp_path / "once", "3x")
    twice, once = (run_digest(tmp_path / name) for name in ("twice", "once"))
    assert twice["last model.safetensors"] == once["last model.safetensors"]
    assert [item.asked for item in RunDirectory(tmp_path / "twice", "key").extensions] == ["2x", "3x"]
    with pytest.raises(ConfigError, match=f"{3 * STEPS} steps are done or planned already"):
        run_longer(tmp_path / "twice", f"{STEPS + 4} steps")


def test_the_log_names_the_model_that_was_extended(tmp_path: Path) -> None:
    run_longer(tmp_path, "")
    run_longer(tmp_path, "2x")
    assert RunDirectory(tmp_path, "key").extensions == (
        Extension("2x", STABLE, 2 * STEPS, START, "digest of the model"),
    )


def test_a_run_that_is_longer_than_asked_for_is_kept_aside(tmp_path: Path) -> None:
    run_longer(tmp_path / "run", "2x")
    assert run_longer(tmp_path / "run", "").step == STEPS
    assert RunDirectory(tmp_path / "run.1", "key").extensions


def test_a_run_that_ended_before_its_cooldown_has_nothing_to_go_on_from(tmp_path: Path) -> None:
    state = run_longer(tmp_path, "", steps=1)
    assert (state.ending, state.step) == ("steps", 1)
    with pytest.raises(ArtifactError, match="ended after step 1"):
        run_longer(tmp_path, "2x")


def test_a_run_with_no_step_before_its_cooldown_can_not_be_longer_from_its_beginning(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="of the 1 steps none comes before the cooldown"):
        run_longer(tmp_path, "2x", steps=1)
    assert run_longer(tmp_path / "two", "2x", steps=2).step == 4


def test_epochs_are_counted_also_where_a_step_is_hardly_any_of_one(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path, "key")
    run.begin(replace(plan(steps=100), epochs=0.0004))
    assert extended("1 epoch", run, State(step=40, elapsed=20.0), START).steps == 250_000


def test_an_amount_is_counted_from_the_first_length_and_a_time_by_the_pace(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path, "key")
    run.begin(plan(steps=100))
    run.log_replan(Replan(40, 120))
    state = State(step=40, elapsed=20.0)
    ends = {text: extended(text, run, state, START).steps for text in ("2x", "+50 steps", "+5s", "2m", "4 epochs")}
    assert ends == {"2x": 240, "+50 steps": 170, "+5s": 130, "2m": 240, "4 epochs": 133}
    run.log_extension(extended("2x", run, state, START))
    assert extended("+180 steps", run, State(step=90, elapsed=45.0), START).steps == 300
    assert extended("+10 steps", run, State(step=90, elapsed=45.0), START).steps == 240


@pytest.mark.parametrize(("asked", "found"), [("42 steps", "longer"), (f"{STEPS} steps", "anew"), ("1h", "full")])
def test_how_a_run_that_is_over_gets_to_a_later_end(asked: str, found: str, tmp_path: Path) -> None:
    begin_with_budget(tmp_path)
    run_longer(tmp_path, "")
    assert RunDirectory.found(tmp_path, "another key") is None
    assert outlook(RunDirectory.found(tmp_path, "key"), asked, Wsd()) == found
    assert outlook(RunDirectory.found(tmp_path, "another key"), asked, Wsd()) == "anew"
    assert outlook(RunDirectory.found(tmp_path, "key"), asked, Cosine()) == "anew"


def test_a_run_without_a_checkpoint_before_its_cooldown_is_trained_anew(tmp_path: Path) -> None:
    RunDirectory(tmp_path, "key").begin(plan(steps=1))
    run_longer(tmp_path, "")
    assert outlook(RunDirectory.found(tmp_path, "key"), "42 steps", Wsd()) == "anew"


def test_a_time_gives_an_extension_no_more_passes_than_a_new_run(tmp_path: Path) -> None:
    begin_with_budget(tmp_path)
    run_longer(tmp_path, "")
    for asked in ("1h", "+1h"):
        with pytest.raises(ConfigError, match="no more passes over the corpus"):
            run_longer(tmp_path, asked)
    assert run_longer(tmp_path, "2x").step == 2 * STEPS


def begin_with_budget(path: Path) -> None:
    budget = Budget(seconds=60.0, closing_seconds=1.0, most_steps=STEPS)
    RunDirectory(path, "key").begin(replace(plan(), budget=budget))
