"""What a loop tells of its steps: rows of metrics.jsonl, trackers, the progress line, and the end that none wanted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmcli.errors import DivergedError
from lmcli.progress import Progress, Task
from lmcli.training import health
from lmcli.training.checkpoints import Checkpoint
from lmcli.training.ingredients import Ingredients
from lmcli.training.metrics import terms
from lmcli.training.shared_run import Run
from lmcli.training.state import State


class RunLog:
    """The log of `run`, with words for `progress` beside it."""

    def __init__(self, run: Run, parts: Ingredients, progress: Progress) -> None:
        assert run.plan is not None
        self._run, self._every, self._parts, self._progress = run, run.plan.pace.log_every, parts, progress

    def after_step(self, row: Mapping[str, Any], state: State, task: Task) -> None:
        """Log a row when one is due, or when it tells more than others; show it as the progress of `task`."""
        due = row["step"] % self._every == 0 or row["step"] == 1
        if due or state.ending or "val_loss" in row or "skipped" in row:
            self._append(row)
        validated = f", validation {state.last}" if state.last else ""
        loss = f"loss {row['loss']:.3f}{terms(row, 'loss_')}" if "loss" in row else "no step taken"
        task.describe(f"{row['tokens_per_second']:,.0f} tokens/s, {loss}{validated}")

    def _append(self, row: Mapping[str, Any]) -> None:
        had_failed = self._run.metrics.failure is not None
        self._run.metrics.append(row)
        if self._parts.on_row:
            self._parts.on_row(row)
        if self._run.metrics.failure is not None and not had_failed:
            self._progress.warn(f"metrics.jsonl lacks rows: {self._run.metrics.failure}; training goes on")

    def samples(self, step: int) -> dict[str, list[int]]:
        """The numbers of the samples in the batch of a step, as a part of its row."""
        return {"samples": list(self._parts.samples(step))} if self._parts.samples else {}

    def diverged(self, row: Mapping[str, Any], last: Checkpoint | None, what: str = "") -> DivergedError:
        """The error that ends the run at the step of `row`, which is logged; `what` if all figures are finite.

        `last` is the last checkpoint.
        """
        bad, step = what or health.wrong(row), row["step"]
        self._run.metrics.append({**health.finite(row), "diverged": bad, **self.samples(step)})
        good = f"the last good checkpoint is step {last.step}" if last else "there is no checkpoint yet"
        message = f"training diverged at step {step} (learning rate {row['lr']:.3g}): {bad}; {good}"
        samples = self.samples(step).get("samples", [])
        batch = f" (the batch has the samples {health.few(samples)})" if samples else ""
        hint = f"lower the learning rate (optimizer.lr), or look for broken text in the data{batch}"
        return DivergedError(message, hint)
