from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lmcli.errors import DivergedError
from lmcli.objectives.batch import IGNORED, Batch, make_batch
from lmcli.progress import Silent
from lmcli.training.clock import Clock
from lmcli.training.ingredients import Probe, Source
from lmcli.training.loop import train
from lmcli.training.metrics import read_metrics
from lmcli.training.optimizers.adamw import AdamW
from lmcli.training.optimizers.muon import Muon
from lmcli.training.plan import Replan
from lmcli.training.run import RunDirectory
from lmcli.training.state import Figures
from tests.training.tiny import (
    CONTEXT,
    EPOCH,
    ROWS,
    STEPS,
    ingredients,
    plan,
    run_digest,
    run_tiny,
    seeded,
    tiny_model,
    weights_digest,
    windows,
)


class Notes(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)

    warn = say


def rows_of(path: Path) -> list[dict[str, Any]]:
    return read_metrics(path / "metrics.jsonl")


def figures(*losses: float) -> Callable[[nn.Module, Callable[[], None]], Figures]:
    """A validation that gives these losses in turn."""
    rest = list(losses)
    return lambda model, check: Figures(rest.pop(0), 1.0)


def test_rows_are_whole_and_in_order(tmp_path: Path) -> None:
    run_tiny(tmp_path, ingredients(AdamW()))
    rows = rows_of(tmp_path)
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    assert [row["tokens"] for row in rows] == [ROWS * CONTEXT * step for step in range(1, STEPS + 1)]
    keys = ["step", "tokens", "elapsed", "loss", "lr", "grad_norm", "tokens_per_second"]
    assert all(list(row)[: len(keys)] == keys for row in rows)
    assert [row["step"] for row in rows if "val_loss" in row] == [5, 10, 15, 20, STEPS]
    assert all({"val_loss", "val_bpb"} <= row.keys() for row in rows if "val_loss" in row)


def test_the_rate_in_the_log_is_the_schedule_at_the_middle_of_the_step(tmp_path: Path) -> None:
    parts = ingredients(AdamW(lr=0.01))
    run_tiny(tmp_path, parts)
    for row in rows_of(tmp_path):
        assert row["lr"] == pytest.approx(0.01 * parts.schedule.multiplier((row["step"] - 0.5) / STEPS))


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(tmp_path: Path) -> None:
    digests = []
    for name, seed in (("a", 11), ("b", 11), ("c", 12)):
        parts = ingredients(Muon())
        parts.stepper._seed = seed
        run_tiny(tmp_path / name, parts)
        digests.append(run_digest(tmp_path / name)["last model.safetensors"])
    assert digests[0] == digests[1] != digests[2]


def test_validation_and_probes_leave_training_alone(tmp_path: Path) -> None:
    def noisy(step: int, model: nn.Module) -> None:
        assert not model.training
        torch.rand(step)

    probe = Probe(lambda step: step % 2 == 0, noisy)
    plain, watched = ingredients(AdamW(), validate=None), ingredients(AdamW(), probes=[probe])
    run_tiny(tmp_path / "plain", plain)
    run_tiny(tmp_path / "watched", watched, eval_every=1, save_every=2)
    assert weights_digest(plain.stepper.model) == weights_digest(watched.stepper.model)


def test_the_global_random_state_is_left_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = seeded()
    run_tiny(tmp_path, ingredients(AdamW()))
    assert torch.equal(seeded(), before)


def test_probes_are_called_at_their_steps(tmp_path: Path) -> None:
    called: list[int] = []
    probe = Probe(lambda step: step in (3, STEPS), lambda step, model: called.append(step))
    run_tiny(tmp_path, ingredients(AdamW(), probes=[probe]))
    assert called == [3, STEPS]


def poisoned_at(step: int) -> Callable[[Source], Source]:
    """A source whose model gets a weight that isn't finite just before a step."""

    def wrap(source: Source) -> Source:
        def call(number: int) -> Sequence[Batch]:
            if number == step:
                with torch.no_grad():
                    victim[0].add_(math.nan)
            return source(number)

        return call

    return wrap


victim: list[torch.Tensor] = []


@pytest.mark.parametrize("step", [1, 6])
def test_a_loss_that_is_not_finite_stops_before_the_step(step: int, tmp_path: Path) -> None:
    parts = ingredients(AdamW(), wrap=poisoned_at(step))
    victim[:] = [parts.stepper.model.embedding]  # type: ignore[list-item]
    with pytest.raises(DivergedError) as error:
        run_tiny(tmp_path, parts)
    assert error.value.exit_code == 7
    assert f"at step {step} " in error.value.message
    assert "loss is nan" in error.value.message
    last = "the last good checkpoint is step 4" if step > 4 else "there is no checkpoint yet"
    assert last in error.value.message
    optimizer_step = next(value for name, value in parts.stepper.optimizer.state().items() if name.endswith(".step"))
    assert optimizer_step == step - 1
    rows = rows_of(tmp_path)
    assert (rows[-1]["step"], rows[-1]["diverged"]) == (step, "loss is nan, gradient norm is nan")
    json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1], parse_constant=pytest.fail)


def test_weights_that_are_not_finite_are_never_passed_over(tmp_path: Path) -> None:
    parts = ingredients(AdamW(), wrap=poisoned_at(6), skips=9, validate=None)
    victim[:] = [parts.stepper.model.embedding]  # type: ignore[list-item]
    with pytest.raises(DivergedError, match=r"at step 6 .*is step 4"):
        run_tiny(tmp_path, parts)


def test_a_bad_step_leaves_the_last_checkpoint_untouched(tmp_path: Path) -> None:
    run_tiny(tmp_path / "good", ingredients(AdamW()), steps=4)
    parts = ingredients(AdamW(), wrap=poisoned_at(6))
    victim[:] = [parts.stepper.model.embedding]  # type: ignore[list-item]
    with pytest.raises(DivergedError):
        run_tiny(tmp_path / "bad", parts, steps=STEPS)
    run = RunDirectory(tmp_path / "bad", "key")
    weights, _ = run.checkpoints.load_last()
    assert run.checkpoints.last is not None
    assert run.checkpoints.last.step == 4
    assert all(torch.isfinite(tensor).all() for tensor in weights.values())
    assert [path.name for path in (tmp_path / "bad" / "checkpoints").iterdir()] == [run.checkpoints.last.name]


def test_a_gradient_that_is_not_finite_stops_before_the_step(tmp_path: Path) -> None:
    parts = ingredients(AdamW())
    parts.stepper.model.embedding.register_hook(lambda gradient: gradient * math.inf)  # type: ignore[union-attr]
    before = weights_digest(parts.stepper.model)
    with pytest.raises(DivergedError, match="gradient norm is"):
        run_tiny(tmp_path, parts)
    assert weights_digest(parts.stepper.model) == before


def test_a_validation_loss_that_is_not_finite_is_no_checkpoint(tmp_path: Path) -> None:
    parts = ingredients(AdamW(), validate=figures(math.nan))
    with pytest.raises(DivergedError, match="validation loss is nan"):
        run_tiny(tmp_path, parts, save_every=5)
    assert RunDirectory(tmp_path, "key").checkpoints.last is None


def test_the_best_weights_are_those_of_the_best_validation(tmp_path: Path) -> None:
    seen: dict[int, str] = {}
    probe = Probe(lambda step: True, lambda step, model: seen.update({step: weights_digest(model)}))
    state = run_tiny(tmp_path, ingredients(AdamW(), validate=figures(5, 3, 4, 3, 6), probes=[probe]))
    assert state.best is not None
    assert (state.best.step, state.best.figures) == (10, Figures(3, 1.0))
    assert state.last == Figures(6, 1.0)
    model = tiny_model()
    with torch.no_grad():
        for name, tensor in RunDirectory(tmp_path, "key").checkpoints.load_best().items():
            model.get_parameter(name).copy_(tensor)
    assert weights_digest(model) == seen[10]


def test_it_stops_early_after_as_many_worse_validations(tmp_path: Path) -> None:
    parts = ingredients(AdamW(), validate=figures(5, 3, 4, 2, 3, 3, 9), early_stop=2, cooldown_start=None)
    state = run_tiny(tmp_path, parts, eval_every=2)
    assert (state.ending, state.step, state.worse) == ("early stop", 12, 2)
    assert state.best is not None
    assert state.best.step == 8


def test_a_run_that_takes_all_its_steps_has_not_stopped_early(tmp_path: Path) -> None:
    parts = ingredients(AdamW(), validate=figures(5, 3, 4, 4), early_stop=2, cooldown_start=None)
    state = run_tiny(tmp_path, parts, steps=8, eval_every=2)
    assert (state.ending, state.step, state.worse) == ("steps", 8, 2)


def test_how_often_to_save_can_be_changed_on_the_way(tmp_path: Path) -> None:
    run_tiny(tmp_path, ingredients(AdamW(), keep=9, save_every=3), steps=8)
    checkpoints = RunDirectory(tmp_path, "key").checkpoints
    assert checkpoints.last is not None
    assert sorted(item.step for item in (checkpoints.last, *checkpoints.earlier)) == [3, 6, 8]


def test_before_the_cooldown_nothing_stops_early(tmp_path: Path) -> None:
    parts = ingredients(AdamW(), validate=figures(1, 2, 3, 4, 5, 6, 7, 8, 9), early_stop=2, cooldown_start=0.4)
    state = run_tiny(tmp_path, parts, eval_every=2)
    assert (state.ending, state.step) == ("early stop", 12)  # 0.4 of 21 steps are 8.4


def test_without_validation_the_last_step_is_the_best(tmp_path: Path) -> None:
    parts = ingredients(AdamW(), validate=None)
    state = run_tiny(tmp_path, parts)
    assert state.best is not None
    assert state.best.step == STEPS
    best = RunDirectory(tmp_path, "key").checkpoints.load_best()
    assert all(torch.equal(best[name], value) for name, value in parts.stepper.model.named_parameters())


def test_no_steps_give_the_model_as_it_began(tmp_path: Path) -> None:
    state = run_tiny(tmp_path, ingredients(AdamW()), steps=0)
    assert (state.ending, state.step) == ("steps", 0)
    best = RunDirectory(tmp_path, "key").checkpoints.load_best()
    assert all(torch.equal(best[name], value) for name, value in tiny_model().named_parameters())


def test_one_step_is_a_run(tmp_path: Path) -> None:
    assert run_tiny(tmp_path, ingredients(AdamW()), steps=1).step == 1
    assert [row["step"] for row in rows_of(tmp_path)] == [1]


def test_a_finished_run_has_nothing_to_do(tmp_path: Path) -> None:
    done = run_tiny(tmp_path, ingredients(AdamW()))
    before = run_digest(tmp_path)

    def never(number: int) -> Sequence[Batch]:
        raise AssertionError("no step is left")

    assert run_tiny(tmp_path, ingredients(AdamW(), wrap=lambda source: never)) == done
    assert run_digest(tmp_path) == before


def test_a_step_is_the_same_however_it_is_cut_into_micro_batches(tmp_path: Path) -> None:
    rows = windows(0)
    inputs, targets = rows[:, :-1].copy(), rows[:, 1:].copy()
    targets[0, 3:] = IGNORED
    whole = [make_batch("causal", inputs, targets)]
    parts_of_it = [make_batch("causal", inputs[row : row + 1], targets[row : row + 1]) for row in range(ROWS)]
    results = []
    for batches in (whole, parts_of_it):
        parts = ingredients(AdamW())
        parts.stepper.model.eval()
        results.append((parts.stepper.step(1, batches, 1.0, lambda: None), parts.stepper.model))
    assert results[0][0].tokens == results[1][0].tokens == 3 + CONTEXT
    assert results[0][0].loss == pytest.approx(results[1][0].loss, rel=1e-6)
    assert results[0][0].grad_norm == pytest.approx(results[1][0].grad_norm, rel=1e-5)
    for one, other in zip(results[0][1].parameters(), results[1][1].parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-4)


def test_the_gradient_is_clipped_to_its_norm(tmp_path: Path) -> None:
    seen: list[float] = []
    parts = ingredients(AdamW())
    parts.stepper._clip = 0.01

    class Watching:
        def step(self, scale: float) -> None:
            squares = sum(float(p.grad.square().sum()) for p in parts.stepper.model.parameters() if p.grad is not None)
            seen.append(math.sqrt(squares))

    parts.stepper.optimizer = Watching()  # type: ignore[assignment]
    result = parts.stepper.step(1, parts.source(1), 1.0, lambda: None)
    assert result.grad_norm > 0.1
    assert seen == [pytest.approx(0.01, rel=1e-4)]


def budgeted(path: Path, seconds_of_a_step: float, progress: Silent | None = None) -> list[Replan]:
    """Train with a clock on which each step takes this long; the re-plans that were asked for."""
    time = [0.0]
    asked: list[Replan] = []

    def ticking(source: Source) -> Source:
        def call(number: int) -> Sequence[Batch]:
            time[0] += seconds_of_a_step
            return source(number)

        return call

    def replan(step: int, step_seconds: float, elapsed: float) -> Replan:
        assert step_seconds == pytest.approx(seconds_of_a_step)
        assert elapsed == pytest.approx(step * seconds_of_a_step)
        asked.append(Replan(step, step + int((STEPS - elapsed) / step_seconds)))
        return asked[-1]

    run = RunDirectory(path, "key")
    if run.plan is None:
        run.begin(plan())
    parts = ingredients(AdamW(), wrap=ticking, replan=replan)
    train(run, parts, progress or Silent(), Clock(0.0, lambda: time[0]))
    return asked


@pytest.mark.parametrize(("seconds_of_a_step", "steps"), [(1.0, 21), (1.5, 14), (0.5, 42)])
def test_the_rest_of_the_run_is_fitted_to_the_budget(seconds_of_a_step: float, steps: int, tmp_path: Path) -> None:
    notes = Notes()
    asked = budgeted(tmp_path, seconds_of_a_step, notes)
    assert asked[0] == Replan(9, steps)
    assert {replan.steps for replan in asked} == {steps}
    rows = rows_of(tmp_path)
    assert rows[-1]["step"] == steps
    assert rows[-1]["elapsed"] == pytest.approx(steps * seconds_of_a_step)
    rates = [row["lr"] for row in rows]
    assert all(later <= earlier for earlier, later in itertools.pairwise(rates))
    assert rates[-1] < 0.15 * max(rates)
    assert list(RunDirectory(tmp_path, "key").replans) == asked
    assert bool(notes.said) == (steps != STEPS)


@pytest.mark.parametrize("later", [2.0, 0.5])
def test_a_machine_that_changes_its_pace_during_the_cooldown_ends_on_time(later: float, tmp_path: Path) -> None:
    """60 seconds of a second each at first: the pace changes after half of them."""
    time = [0.0]

    def ticking(source: Source) -> Source:
        def call(number: int) -> Sequence[Batch]:
            time[0] += 1.0 if number <= 30 else later
            return source(number)

        return call

    def replan(step: int, step_seconds: float, elapsed: float) -> Replan:
        return Replan(step, step + max(1, int((60 - elapsed) / step_seconds)))

    run = RunDirectory(tmp_path, "key")
    run.begin(plan(steps=60))
    state = train(run, ingredients(AdamW(), wrap=ticking, replan=replan), Silent(), Clock(0.0, lambda: time[0]))
    assert len(run.replans) >= 2
    assert time[0] == pytest.approx(60, rel=0.05)
    assert state.step == pytest.approx(30 + 30 / later, rel=0.05)


def test_the_pace_is_that_of_whole_windows(tmp_path: Path) -> None:
    """Steps with pieces of windows take less time than the rest of the run will."""
    time, found = [0.0], []

    def ticking(source: Source) -> Source:
        def call(number: int) -> Sequence[Batch]:
            time[0] += 1.0 if number <= 4 else 3.0
            return source(number)

        return call

    def replan(step: int, step_seconds: float, elapsed: float) -> Replan:
        found.append(step_seconds)
        return Replan(step, 12)

    run = RunDirectory(tmp_path, "key")
    begun = plan()
    run.begin(replace(begun, batching=replace(begun.batching, pieces=2, cut_steps=4)))
    train(run, ingredients(AdamW(), wrap=ticking, replan=replan), Silent(), Clock(0.0, lambda: time[0]))
    assert found
    assert found == pytest.approx([3.0] * len(found))


def test_a_replan_is_durable_before_it_counts_and_is_replayed(tmp_path: Path) -> None:
    budgeted(tmp_path / "whole", 2.0)
    run = RunDirectory(tmp_path / "again", "key")
    run.begin(plan())
    run.log_replan(Replan(9, 10))
    assert budgeted(tmp_path / "again", 7.0) == []
    whole, again = (run_digest(tmp_path / name) for name in ("whole", "again"))
    assert again["last model.safetensors"] == whole["last model.safetensors"]


def test_each_epoch_shows_each_window_once() -> None:
    parts = ingredients(AdamW())
    epochs = []
    for epoch in range(3):
        batches = [batch for step in range(epoch * EPOCH, (epoch + 1) * EPOCH) for batch in parts.source(step + 1)]
        epochs.append([tuple(batch.inputs.flatten().tolist()) for batch in batches])
    assert sorted(epochs[0]) == sorted(epochs[1]) == sorted(epochs[2])
    assert epochs[0] != epochs[1]
    assert len(set(epochs[0])) == EPOCH * ROWS
