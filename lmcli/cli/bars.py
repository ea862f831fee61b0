"""Progress bars on a terminal, drawn by rich on stderr."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, SpinnerColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from lmcli.units import amount


class _Amount(ProgressColumn):
    """Done, total and rate in the task's own unit."""

    def render(self, task: Task) -> Text:
        unit = task.fields["unit"]
        done = amount(task.completed, unit)
        of = f"/{amount(task.total, unit)}" if task.total is not None else ""
        rate = f" {amount(task.speed, unit)}/s" if task.speed else ""
        return Text(f"{done}{of}{rate}")


def make_bars() -> Progress:
    """An empty set of bars on stderr; it vanishes when it is stopped."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        _Amount(),
        TimeRemainingColumn(compact=True),
        TextColumn("{task.fields[text]}", markup=False),
    )
    return Progress(
        *columns, console=Console(file=sys.stderr, soft_wrap=True), transient=True, speed_estimate_period=10
    )


class Bar:
    """One bar in a set of bars."""

    def __init__(self, bars: Progress, label: str, total: float | None, unit: str, done: float) -> None:
        self._bars = bars
        self._id = bars.add_task(label, total=total, unit=unit, text="")
        bars.update(self._id, completed=done)

    def advance(self, amount: float = 1) -> None:
        self._bars.advance(self._id, amount)

    def describe(self, text: str) -> None:
        self._bars.update(self._id, text=text)

    def resize(self, total: float) -> None:
        self._bars.update(self._id, total=total)

    def close(self) -> None:
        self._bars.remove_task(self._id)
