"""What the course of a run is said to be, from its figures alone; then in real runs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.config import decode
from lmcli.errors import ConfigError, DivergedError, Stopped
from lmcli.objectives.batch import Batch
from lmcli.training.config import TrainConfig
from lmcli.training.health import (
    ENOUGH,
    PATIENCE,
    WINDOW,
    Health,
    after_step,
    after_validation,
    few,
    skips_allowed,
)
from lmcli.training.ingredients import Source
from lmcli.training.metrics import read_metrics
from lmcli.training.optimizers.adamw import AdamW
from lmcli.training.optimizers.sgd import Sgd
from lmcli.training.run import RunDirectory
from lmcli.training.state import Figures, State
from tests.training.test_loop import Notes, figures
from tests.training.test_resume import signalled_in
from tests.training.tiny import ROWS, STEPS, ingredients, run_digest, run_tiny


def fed(losses: Sequence[float], health: Health | None = None) -> tuple[Health, list[str]]:
    """The memory after these losses, and all that was said."""
    found, said = health or Health(), []
    for step, loss in enumerate(losses, start=1):
        found, messages = after_step(found, step, loss)
        said += messages
    return found, said


def test_a_spike_is_said_once_and_a_fall_never() -> None:
    falling = [10 * 0.97**n for n in range(100)]
    assert fed(falling)[1] == []
    health, said = fed([2.0] * 30 + [4.5] + [2.0] * 30 + [5.0])
    assert len(said) == 1
    assert said[0].startswith("the loss jumped to 4.5 at step 31, from about 2")
    assert health.usual == 2.0


def test_no_spike_is_said_before_there_are_losses_to_compare_with() -> None:
    assert fed([1.0] * (ENOUGH - 1) + [9.0])[1] == []
    assert len(fed([1.0] * ENOUGH + [9.0])[1]) == 1


@pytest.mark.parametrize(("high", "diverges"), [(PATIENCE - 1, False), (PATIENCE, True), (PATIENCE + 30, True)])
def test_a_divergence_takes_many_steps_in_a_row(high: int, diverges: bool) -> None:
    health, said = fed([2.0] * WINDOW + [6.1] * high)
    assert health.diverges == diverges
    assert [line for line in said if "above 3 times its usual 2" in line] == said[1 : 1 + diverges]


def test_one_usual_loss_begins_the_count_anew() -> None:
    assert not fed([2.0] * WINDOW + [7.0] * (PATIENCE - 1) + [2.0] + [7.0] * (PATIENCE - 1))[0].diverges


@pytest.mark.parametrize("usual", range(1, ENOUGH))
def test_a_run_that_blows_up_in_its_first_steps_diverges(usual: int) -> None:
    health, said = fed([4.0] * usual + [400.0 + n for n in range(PATIENCE)])
    assert health.diverges
    assert health.usual == 4.0
    assert len(said) == 1
    assert said[0].startswith("the loss has been above 3 times its usual 4 for 50 steps")


def test_so_does_one_that_gets_worse_little_by_little() -> None:
    health, said = fed([4.0 * min(1.3**n, 1e4) for n in range(ENOUGH + 3 * PATIENCE)])
    assert health.diverges
    assert health.usual is not None
    assert health.usual < 12
    assert len(said) == 1


def test_first_losses_that_fall_or_scatter_are_no_divergence() -> None:
    assert fed([11.0, 10.0, 7.0, 6.0, 5.5, 5.0] + [4.0] * 80)[1] == []
    assert not fed([1.0, 3.0, 0.5, 2.5, 1.5, 0.8, 3.0] * 20)[0].diverges


def test_losses_near_nothing_are_no_spikes() -> None:
    assert fed([0.001] * 50 + [0.08] * 60)[1] == []


@settings(deadline=None, max_examples=50)
@given(losses=st.lists(st.floats(0, 50), max_size=200), cut=st.integers(0, 200))
def test_a_memory_that_was_written_down_goes_on_as_if_it_had_not_been(losses: list[float], cut: int) -> None:
    whole, said = fed(losses)
    first, before = fed(losses[:cut])
    state = State.from_json(json.loads(json.dumps(State(health=first).to_json())))
    assert state.health == first
    second, after = first, []
    for step, loss in enumerate(losses[cut:], start=cut + 1):
        second, messages = after_step(state.health if step == cut + 1 else second, step, loss)
        after += messages
    assert (second, before + after) == (whole, said)
    assert len(whole.losses) <= WINDOW


def test_over_fitting_is_said_once_with_the_best_step() -> None:
    health, said, previous = Health(), [], None
    for loss in (3.0, 2.0, 2.1, 2.05, 2.2, 2.3, 2.4, 2.5):
        health, messages = after_validation(health, loss, previous, 900)
        said.append(list(messages))
        previous = loss
    assert [number for number, lines in enumerate(said) if lines] == [5]
    assert said[5] == ["validation loss has risen since step 900; best is kept"]


def test_a_state_of_before_health_is_read() -> None:
    values = State(step=3).to_json()
    del values["health"]
    assert State.from_json(values) == State(step=3)


@pytest.mark.parametrize(("policy", "count"), [("stop", 0), ("skip:1", 1), ("skip:25", 25)])
def test_policies(policy: str, count: int) -> None:
    assert skips_allowed(policy) == count
    assert decode(TrainConfig, {"on_nonfinite": policy}).on_nonfinite == policy


@pytest.mark.parametrize("policy", ["", "skip", "skip:", "skip:0", "skip:-1", "skip:x", "skip:٣", "go on"])
def test_what_is_no_policy(policy: str) -> None:
    with pytest.raises(ConfigError, match="neither stop nor skip:N") as error:
        decode(TrainConfig, {"on_nonfinite": policy}, "train")
    assert error.value.key == "train.on_nonfinite"


def test_numbers_in_words() -> None:
    assert few([4, 5, 6, 7]) == "4 to 7"
    assert few([9, 2]) == "9, 2"
    assert few(list(range(0, 40, 2))) == "0, 2, 4, 6, 8, 10, 12, 14 and 12 more"


def poisoned(*steps: int) -> Callable[[Source], Source]:
    """A source that makes the embedding's gradient infinite in these steps; the weights stay as they are."""

    def wrap(source: Source) -> Source:
        def call(number: int) -> Sequence[Batch]:
            active[0] = number in steps
            return source(number)

        return call

    return wrap


active = [False]


def sick(*steps: int, **changes: Any) -> Any:
    parts = ingredients(AdamW(), wrap=poisoned(*steps), **changes)
    embedding: Any = parts.stepper.model.embedding
    embedding.register_hook(lambda gradient: gradient * math.inf if active[0] else gradient)
    return parts


def rows_of(path: Path) -> list[dict[str, Any]]:
    return read_metrics(path / "metrics.jsonl")


def test_bad_steps_are_left_out_counted_and_logged(tmp_path: Path) -> None:
    notes, parts = Notes(), sick(6, 9, skips=2, samples=lambda step: range((step - 1) * ROWS, step * ROWS))
    state = run_tiny(tmp_path, parts, progress=notes)
    assert (state.step, state.ending, state.health.skipped) == (STEPS, "steps", 2)
    rows = rows_of(tmp_path)
    assert [row["step"] for row in rows] == list(range(1, STEPS + 1))
    left_out = {row["step"]: row for row in rows if "skipped" in row}
    assert left_out.keys() == {6, 9}
    assert left_out[6]["samples"] == [10, 11]
    assert left_out[6]["tokens"] == rows[4]["tokens"]
    assert "gradient norm is" in left_out[9]["skipped"]
    assert "grad_norm" not in left_out[6]
    assert [line for line in notes.said if "is left out, number 2 of at most 2" in line]
    taken = next(value for name, value in parts.stepper.optimizer.state().items() if name.endswith(".step"))
    assert taken == STEPS - 2
    json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[5], parse_constant=pytest.fail)


def test_one_more_than_may_be_left_out_stops_the_run(tmp_path: Path) -> None:
    parts = sick(3, 6, 10, skips=2, samples=lambda step: range((step - 1) * ROWS, step * ROWS))
    with pytest.raises(DivergedError, match="at step 10 ") as error:
        run_tiny(tmp_path, parts)
    assert error.value.exit_code == 7
    assert "the last good checkpoint is step 8" in error.value.message
    assert "the batch has the samples 18, 19" in str(error.value.hint)
    assert rows_of(tmp_path)[-1]["samples"] == [18, 19]


def test_a_validation_that_is_not_finite_after_a_step_that_was_left_out_stops_the_run(tmp_path: Path) -> None:
    parts = sick(5, skips=9, validate=lambda model, check: Figures(math.inf, None))
    with pytest.raises(DivergedError, match=r"at step 5 .*validation loss is inf"):
        run_tiny(tmp_path, parts)
    assert rows_of(tmp_path)[-1]["diverged"] == "validation loss is inf"


def test_weights_that_an_update_made_infinite_are_not_saved(tmp_path: Path) -> None:
    parts = ingredients(AdamW(), validate=None)
    take = parts.stepper.optimizer.step

    def broken(scale: float) -> None:
        take(scale)
        if taken() == 6:
            with torch.no_grad():
                parts.stepper.model.embedding.fill_(math.inf)  # type: ignore[operator, union-attr]

    def taken() -> float:
        return float(next(value for name, value in parts.stepper.optimizer.state().items() if name.endswith(".step")))

    parts.stepper.optimizer.step = broken  # type: ignore[method-assign]
    with pytest.raises(DivergedError, match=r"at step 6 .*the weights are not finite any more; .* is step 4"):
        run_tiny(tmp_path, parts, save_every=2)
    last = RunDirectory(tmp_path, "key").checkpoints.last
    assert last is not None
    assert last.step == 4


@pytest.mark.parametrize("step", [5, 6, 7])
def test_a_stop_around_a_step_that_is_left_out_changes_nothing(step: int, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    run_tiny(tmp_path / "whole", sick(6, skips=1))
    parts = sick(6, skips=1)
    parts = ingredients_with(parts, signalled_in(step, 1)(parts.source))
    with pytest.raises(Stopped):
        run_tiny(tmp_path / "cut", parts)
    state = run_tiny(tmp_path / "cut", sick(6, skips=1))
    assert state.health.skipped == 1
    assert run_digest(tmp_path / "cut") == run_digest(tmp_path / "whole")


def ingredients_with(parts: Any, source: Source) -> Any:
    object.__setattr__(parts, "source", source)
    return parts


def test_a_rising_validation_is_said_in_plain_words(tmp_path: Path) -> None:
    notes = Notes()
    run_tiny(tmp_path, ingredients(AdamW(), validate=figures(5, 3, 4, 5, 6)), progress=notes)
    assert notes.said.count("validation loss has risen since step 10; best is kept") == 1


WILD: dict[str, Any] = {"steps": 120, "eval_every": 500, "save_every": 30}


def wild_at(step: int) -> Callable[[Source], Source]:
    """Training that goes wrong from a step on, though each number stays finite."""

    def wrap(source: Source) -> Source:
        def call(number: int) -> Sequence[Batch]:
            if number == step:
                with torch.no_grad():
                    victim[0].mul_(1e4)
            return source(number)

        return call

    return wrap


victim: list[torch.Tensor] = []


def wild(**changes: Any) -> Any:
    parts = ingredients(Sgd(lr=1e-9), wrap=wild_at(31), validate=None, **changes)
    model: Any = parts.stepper.model
    victim[:] = [model.embedding]
    return parts


def test_a_loss_that_stays_high_is_warned_of_and_stops_only_when_asked(tmp_path: Path) -> None:
    notes = Notes()
    assert run_tiny(tmp_path / "warned", wild(), progress=notes, **WILD).ending == "steps"
    assert len([line for line in notes.said if "above 3 times its usual" in line]) == 1
    saved = RunDirectory(tmp_path / "warned", "key").checkpoints.last
    assert saved is not None
    assert saved.step == 120
    with pytest.raises(DivergedError, match=r"at step 80 .*above 3 times its usual .* for 50 steps") as error:
        run_tiny(tmp_path / "stopped", wild(stop_on_divergence=True), **WILD)
    assert error.value.exit_code == 7
    last = RunDirectory(tmp_path / "stopped", "key").checkpoints.last
    assert last is not None
    assert last.step == 30  # from before
    assert "above 3 times" in rows_of(tmp_path / "stopped")[-1]["diverged"]


@pytest.mark.parametrize("ends", [False, True])
def test_a_rate_of_10_is_called_diverging(ends: bool, tmp_path: Path) -> None:
    """The loss blows up with the first steps and stays finite."""
    notes, parts = Notes(), ingredients(Sgd(lr=10.0), validate=None, stop_on_divergence=ends)
    if ends:
        with pytest.raises(DivergedError, match=r"above 3 times its usual .* for 50 steps") as error:
            run_tiny(tmp_path, parts, progress=notes, **WILD)
        assert error.value.exit_code == 7
    else:
        assert run_tiny(tmp_path, parts, progress=notes, **WILD).ending == "steps"
        assert len([line for line in notes.said if "above 3 times its usual" in line]) == 1
    assert any(row["loss"] > 3 * rows_of(tmp_path)[0]["loss"] for row in rows_of(tmp_path)[1:20])
