"""How long work tells that it goes on. Libraries are handed a `Progress`; only the command line draws it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Protocol


class Task(Protocol):
    """One bar: `advance` by an amount in the task's unit, `describe` what happens now, `resize` to another total."""

    def advance(self, amount: float = 1) -> None: ...

    def describe(self, text: str) -> None: ...

    def resize(self, total: float) -> None: ...


class Progress(Protocol):
    def task(
        self, label: str, total: float | None = None, unit: str = "", done: float = 0
    ) -> AbstractContextManager[Task]:
        """A piece of work; `total`, `done` (earlier) and `advance` count in `unit` ("B", "steps"), None = not known."""
        ...

    def say(self, message: str) -> None:
        """A line that a user wants to know (what was chosen, what was shrunk)."""
        ...

    def detail(self, message: str) -> None:
        """A line for those who want to know more (why something was chosen)."""
        ...

    def warn(self, message: str) -> None:
        """A line that a user should act on."""
        ...


class _SilentTask:
    def advance(self, amount: float = 1) -> None: ...

    def describe(self, text: str) -> None: ...

    def resize(self, total: float) -> None: ...


class Silent:
    """Progress for library callers and tests: draws and says nothing."""

    def task(
        self, label: str, total: float | None = None, unit: str = "", done: float = 0
    ) -> AbstractContextManager[Task]:
        return nullcontext(_SilentTask())

    def say(self, message: str) -> None: ...

    def detail(self, message: str) -> None: ...

    def warn(self, message: str) -> None: ...
