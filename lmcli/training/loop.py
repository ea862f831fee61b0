"""The one training loop. What it trains, on what and for how long are values given to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch

from lmcli.errors import DivergedError
from lmcli.progress import Progress, Task
from lmcli.training import health, judging
from lmcli.training.average import best_view
from lmcli.training.clock import Clock
from lmcli.training.collection import no_collection
from lmcli.training.ingredients import Ingredients
from lmcli.training.plan import REPLAN_AT
from lmcli.training.run_log import RunLog
from lmcli.training.saving import Saving
from lmcli.training.shared_run import Run
from lmcli.training.signals import Interrupted, Interrupts, caught
from lmcli.training.state import State
from lmcli.training.stride import Stride
from lmcli.training.world import CommonStop


def train(run: Run, parts: Ingredients, progress: Progress, clock: Clock) -> State:
    """Train from where the run stands to its end, and return that end; a finished run returns at once.

    Raises DivergedError before a step that isn't finite would be taken, and Stopped after a signal, when the state of
    the last completed step is on the disk. The global random state is left as it was.
    """
    with (
        caught(parts.stepper.world, clock.leave_out_pause) as interrupts,
        torch.random.fork_rng(devices=[]),
        no_collection(),
    ):
        return _Loop(run, parts, progress, clock, interrupts).run()


def _by_term(terms: Mapping[str, float]) -> dict[str, float]:
    """The means of a loss with several terms, as metrics.jsonl has them."""
    return {f"loss_{term}": mean for term, mean in terms.items()} if len(terms) > 1 else {}


class _Loop:
    def __init__(self, run: Run, parts: Ingredients, progress: Progress, clock: Clock, interrupts: Interrupts) -> None:
        assert run.plan is not None
        self._run, self._pace, self._parts = run, run.plan.pace, parts
        self._progress, self._clock, self._interrupts = progress, clock, interrupts
        self._model, self._optimizer = parts.stepper.model, parts.stepper.optimizer
        self._state = State()
        self._cut_steps = run.plan.batching.cut_steps
        self._stride = self._new_stride()
        self._saving, self._log = Saving(run, parts), RunLog(run, parts, progress)

    def run(self) -> State:
        self._resume()
        if self._state.ending:
            return self._state
        self._model.train()
        steps, done = self._run.timeline.steps, self._state.step
        with self._progress.task("train", total=steps, unit="steps", done=done) as task:
            try:
                self._work(task)
            except Interrupted as interrupted:
                raise self._stopped(interrupted.signal_number) from None
            finally:
                self._saving.wait()
        return self._state

    def _resume(self) -> None:
        saved = self._saving.resume()
        if saved is not None:
            self._state = saved
            self._clock.resume(saved.elapsed)
            if not saved.ending:
                self._progress.say(f"going on after step {saved.step} of {self._run.timeline.steps}")
        known = self._state.step - (1 if self._state.pending else 0)
        self._run.metrics.keep_until(known)
        for probe in self._parts.probes:
            probe.go_on(known)

    def _work(self, task: Task) -> None:
        if self._state.pending:
            self._after_step(self._state.pending, task)
        self._stride = self._new_stride()
        while not self._state.ending:
            if self._state.step >= self._run.timeline.steps:
                self._end_without_steps()
                return
            self._before_cooldown(task)
            row = self._train_step()
            self._after_step(row, task)
            task.advance()
        self._interrupts.check()  # a signal that came with the last step

    def _new_stride(self) -> Stride:
        return Stride(self._state.step, self._clock.elapsed(), self._cut_steps, self._pace.steps)

    def _cools_down(self, step: int) -> bool:
        start = self._parts.cooldown_start
        return start is None or self._run.timeline.progress(step) > start

    def _before_cooldown(self, task: Task) -> None:
        """Keep the state that a longer run can go on from; begin the longer run when it is asked for already.

        With an extension the best model is sought anew from its first step on, so that it doesn't matter whether the
        run had cooled down in between.
        """
        step, start = self._state.step, self._parts.cooldown_start
        if start is not None and self._run.timeline.cools_down_after(step, start):
            stable = self._saving.stable
            if (stable is None or stable.step != step) and self._parts.stepper.has_finite_weights():
                self._save(stable=True)
            if self._parts.extend is not None and not self._run.extensions:
                self._replan(task, due=True)
                self._run.log_extension(self._parts.extend(self._state))
                task.resize(self._run.timeline.steps)
        if self._run.extensions and step == self._run.extensions[-1].step:
            self._state = replace(self._state, best=None, last=None, worse=0)

    def _train_step(self) -> dict[str, Any]:
        self._interrupts.check()
        self._saving.look()
        number = self._state.step + 1
        started = self._clock.elapsed()
        scale = self._parts.schedule.multiplier(self._run.timeline.progress(number - 0.5))
        batches = self._parts.source(number)
        result = self._parts.stepper.step(number, batches, scale, self._interrupts.check)
        seconds = self._clock.elapsed() - started
        self._stride.took(number, seconds)
        row: dict[str, Any] = {
            "step": number,
            "tokens": self._state.tokens + result.tokens,
            "elapsed": round(self._clock.elapsed(), 3),
            "loss": result.loss,
            **_by_term(result.terms),
            "lr": self._parts.peak_lr * scale,
            "grad_norm": result.grad_norm,
            "tokens_per_second": round(result.tokens / max(seconds, 1e-9), 1),
        }
        if not result.finite:
            row = self._left_out(row)
        self._state = replace(self._state, step=number, tokens=row["tokens"], pending=row)
        return row

    def _left_out(self, row: dict[str, Any]) -> dict[str, Any]:
        """The row of a step that was not taken. Raises DivergedError when no more may be left out.

        So it does when the weights themselves are not finite: no later step would be better, and its checkpoint bad.
        """
        count = self._state.health.skipped + 1
        if count > self._parts.skips or not self._parts.stepper.has_finite_weights():
            raise self._diverged(row)
        self._state = replace(self._state, health=replace(self._state.health, skipped=count))
        kept = {
            **health.finite(row),
            "tokens": self._state.tokens,
            "skipped": health.wrong(row),
            **self._log.samples(row["step"]),
        }
        self._progress.warn(
            f"step {row['step']} is left out, number {count} of at most {self._parts.skips}: {kept['skipped']}"
        )
        return kept

    def _after_step(self, row: Any, task: Task) -> None:
        """Validation, log, re-plan and checkpoint of the step that `row` tells of; done anew when it was cut short."""
        step = self._state.step
        final = step >= self._run.timeline.steps
        state, row = self._watch_loss(replace(self._state, pending=None), row), dict(row)
        if self._parts.validate and (final or step % self._pace.eval_every == 0):
            with best_view(self._optimizer):
                figures = self._parts.validate(self._model, self._interrupts.check)
            row |= figures.row()
            if not math.isfinite(figures.loss):
                raise self._diverged(row)
            state, messages = judging.judged(state, figures, self._parts.early_stop, self._cools_down(step))
            for message in messages:
                self._progress.say(message)
        self._call_probes(step)
        if final:  # also where this validation would have stopped it early
            state = replace(state, ending="steps")
        if state.ending and not self._parts.validate:
            state = judging.best_now(state, None)
        saves = self._saving.is_due(
            state, self._parts.save_every or self._pace.save_every, self._interrupts.take_save()
        )
        if (saves or judging.is_best(state)) and not self._parts.stepper.has_finite_weights():
            raise self._diverged(row, "the weights are not finite any more")
        if judging.is_best(state):
            self._saving.keep_best()
        self._log.after_step(row, state, task)
        self._state = state
        if saves:
            self._save()
        if not state.ending:
            self._replan(task)

    def _watch_loss(self, state: State, row: Mapping[str, Any]) -> State:
        """Say what the loss of a step says. Raises DivergedError for a divergence that is to stop the run."""
        if "loss" not in row:
            return state
        found, messages = health.after_step(state.health, row["step"], row["loss"])
        if found.diverges and self._parts.stop_on_divergence:
            raise self._diverged(row, health.divergence(found, row["step"], row["loss"]))
        for message in messages:
            self._progress.warn(message)
        return replace(state, health=found)

    def _call_probes(self, step: int) -> None:
        due = [probe for probe in self._parts.probes if probe.at(step)]
        if due:
            self._model.eval()
            with best_view(self._optimizer):
                for probe in due:
                    probe.call(step, self._model)
            self._model.train()

    def _replan(self, task: Task, *, due: bool = False) -> None:
        """From the start of the cooldown on, fit the rest of the run to the time that is left; logged before it counts.

        `due` is a first time that is wanted now.
        """
        step, elapsed, done = self._state.step, self._clock.elapsed(), len(self._run.replans)
        seconds = self._stride.seconds(step, elapsed)
        if self._parts.replan is None or self._run.extensions or seconds is None or done == len(REPLAN_AT):
            return
        if self._run.timeline.progress(step) < REPLAN_AT[done] and not (due and not done):
            return
        before = self._run.timeline.steps
        self._run.log_replan(self._parts.replan(step, seconds, elapsed))
        self._stride = self._new_stride()
        steps = self._run.timeline.steps  # those of rank 0
        task.resize(steps)
        if abs(steps - before) > 0.02 * before:
            self._progress.say(f"{steps} steps instead of {before} fit the time that is left")

    def _save(self, *, stable: bool = False) -> None:
        self._state = replace(self._state, elapsed=round(self._clock.elapsed(), 3))
        self._saving.save(self._state, stable=stable)

    def _stopped(self, signal_number: int) -> CommonStop:
        if self._state.step and not self._saving.has(self._state) and self._parts.stepper.has_finite_weights():
            self._save()
        where = f"after step {self._state.step} of {self._run.timeline.steps}"
        return CommonStop(signal_number, f"stopped {where}", "the same command goes on from there")

    def _diverged(self, row: Mapping[str, Any], what: str = "") -> DivergedError:
        return self._log.diverged(row, self._saving.last, what)

    def _end_without_steps(self) -> None:
        """A run of 0 steps: its result is the model that it began with."""
        self._state = judging.best_now(replace(self._state, ending="steps"), None)
        self._saving.keep_best()
        self._save()
