"""Work that a thread does while training goes on: one piece at a time, and what went wrong with it is not lost."""

from __future__ import annotations

import threading
from collections.abc import Callable


class Errand:
    """At most one call is under way. Its error is raised in the thread that waits for it, or looks after it."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def start(self, call: Callable[[], None]) -> None:
        """Begin `call`, after the one before has ended. Raises the error of that one."""
        self.wait()
        # a process that is told a third time to stop leaves without it, as one that is killed does
        self._thread = threading.Thread(target=self._run, args=(call,), name="errand", daemon=True)
        self._thread.start()

    def _run(self, call: Callable[[], None]) -> None:
        try:
            call()
        except BaseException as error:
            self._error = error

    def look(self) -> None:
        """Raises the error of a call that has ended; waits for none."""
        if self._thread is not None and not self._thread.is_alive():
            self.wait()

    def wait(self) -> None:
        """Wait until no call is under way. Raises the error of the one that was."""
        if self._thread is None:
            return
        self._thread.join()
        error, self._thread, self._error = self._error, None, None
        if error is not None:
            raise error
