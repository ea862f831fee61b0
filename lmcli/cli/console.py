"""Output: results on stdout, progress and remarks on stderr; bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from lmcli.progress import Silent, Task
from lmcli.units import amount, duration

PLAIN_SECONDS = 5.0  # between two progress lines where there is no terminal

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def is_terminal(stream: Any) -> bool:
    """Whether ANSI sequences are welcome there."""
    return bool(stream.isatty()) and os.environ.get("TERM") != "dumb"


def printable(text: str) -> str:
    """Text of a model or a corpus with control characters escaped, so that it can't steer a terminal."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)


class Console:
    """The `Progress` that the command line hands to libraries, and the printer of results."""

    def __init__(self, quiet: bool = False, verbose: bool = False) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self._bars: Any = None
        self._lines = 0

    def show(self, data: Mapping[str, Any], lines: Sequence[str], *, as_json: bool) -> None:
        if as_json:
            self.write(json.dumps(data, ensure_ascii=False, indent=1, allow_nan=False) + "\n")
        else:
            self.write("".join(f"{line}\n" for line in lines))

    def write(self, text: str, *, flush: bool = False) -> None:
        """Text on stdout; on a terminal its control characters are escaped."""
        sys.stdout.write(printable(text) if is_terminal(sys.stdout) else text)
        if flush:
            sys.stdout.flush()

    def say(self, message: str) -> None:
        if not self.quiet:
            self._line(message)

    def detail(self, message: str) -> None:
        if self.verbose and not self.quiet:
            self._line(message)

    def warn(self, message: str) -> None:
        self._line(f"warning: {message}")

    def _line(self, message: str) -> None:
        text = printable(message)
        if self._bars is not None:
            self._bars.console.print(text, markup=False, highlight=False, soft_wrap=True)
        else:
            with contextlib.suppress(OSError):  # a log that is full or gone must not end the work
                sys.stderr.write(f"{text}\n")
                sys.stderr.flush()

    @contextmanager
    def task(self, label: str, total: float | None = None, unit: str = "", done: float = 0) -> Iterator[Task]:
        if self.quiet:
            with Silent().task(label) as task:
                yield task
        elif is_terminal(sys.stderr):
            with self._bar(label, total, unit, done) as task:
                yield task
        else:
            with self._line_by_line(_Lines(self, label, total, unit, done)) as task:
                yield task

    @contextmanager
    def _line_by_line(self, task: Task) -> Iterator[Task]:
        """Only the outermost task writes lines: what it is made of would say the same again."""
        self._lines += 1
        try:
            if self._lines == 1:
                yield task
            else:
                with Silent().task("") as silent:
                    yield silent
        finally:
            self._lines -= 1

    @contextmanager
    def _bar(self, label: str, total: float | None, unit: str, done: float) -> Iterator[Task]:
        from lmcli.cli.bars import Bar, make_bars  # rich: only where a bar is drawn

        outermost = self._bars is None
        if outermost:
            self._bars = make_bars()
            self._bars.start()
        bar = Bar(self._bars, label, total, unit, done)
        try:
            yield bar
        finally:
            bar.close()
            if outermost:
                self._bars.stop()
                self._bars = None


class _Lines:
    """Progress as whole lines every few seconds, for logs."""

    def __init__(self, console: Console, label: str, total: float | None, unit: str, done: float) -> None:
        self._console = console
        self._label = label
        self._total = total
        self._unit = unit
        self._done = self._earlier = done
        self._text = ""
        self._started = self._shown = time.monotonic()

    def advance(self, amount: float = 1) -> None:
        self._done += amount
        now = time.monotonic()
        if now - self._shown >= PLAIN_SECONDS:
            self._shown = now
            self._console.say(self._progress(now))

    def describe(self, text: str) -> None:
        self._text = text

    def resize(self, total: float) -> None:
        self._total = total

    def _progress(self, now: float) -> str:
        rate = (self._done - self._earlier) / (now - self._started)
        parts = [f"{self._label}:"]
        if self._total:
            parts.append(f"{amount(self._done, self._unit)} of {amount(self._total, self._unit)}")
            parts.append(f"({100 * self._done / self._total:.0f}%)")
        else:
            parts.append(amount(self._done, self._unit))
        parts.append(f"{amount(rate, self._unit)}/s")
        if self._total and rate > 0:
            parts.append(f"{duration((self._total - self._done) / rate)} left")
        return " ".join([*parts, self._text]).rstrip()
