"""Signals that end training politely, or ask for a checkpoint: flags that the loop looks at between its steps."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from lmcli.errors import Stopped
from lmcli.training.world import SOLO, World

SAVING = getattr(signal, "SIGUSR1", None)
"""Asks for a checkpoint; batch systems send it some minutes before they end a job."""
RESUMED = getattr(signal, "SIGCONT", None)
"""Comes when a paused process goes on."""
ENDING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))


class Interrupted(Exception):  # noqa: N818 - no error: it unwinds to the place that saves the state
    """A signal arrived; raised by `Interrupts.check` between two pieces of work."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal.Signals(signal_number).name)
        self.signal_number = signal_number


class Interrupts:
    """Remembers the first signal; the second one raises Stopped at once, wherever the program is.

    Among several processes a second one is passed over: a launcher sends on what each of them got by itself already.
    """

    def __init__(self, world: World = SOLO) -> None:
        self.pending: int | None = None
        self._save_asked = False
        self._world = world

    def ask_to_save(self, signal_number: int = 0, frame: FrameType | None = None) -> None:
        """Note that a checkpoint is wanted."""
        self._save_asked = True

    def take_save(self) -> bool:
        """Whether a checkpoint was asked for, at any of the processes, since all of them last called this."""
        asked = self._save_asked
        if asked:  # a signal that comes right after it was read must not be cleared with it
            self._save_asked = False
        return bool(self._world.highest(int(asked)))

    def receive(self, signal_number: int, frame: FrameType | None = None) -> None:
        if self.pending is not None and self._world.size == 1:
            raise Stopped(signal_number, "aborted", "the same command goes on from the last checkpoint")
        self.pending = signal_number

    def check(self) -> None:
        """Raises Interrupted when a signal has arrived, at any of the processes: all call this at the same places."""
        number = self._world.highest(self.pending or 0)
        if number:
            raise Interrupted(number)


@contextlib.contextmanager
def caught(world: World = SOLO, on_resumed: Callable[[], None] = lambda: None) -> Iterator[Interrupts]:
    """Catch these signals inside the block; what the parent told us to ignore (nohup) stays ignored.

    `on_resumed` is called when the process goes on after it was paused. Outside the main thread, where Python can't
    catch signals, nothing is caught.
    """
    interrupts = Interrupts(world)
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    wanted: dict[int, Callable[..., None]] = dict.fromkeys(ENDING, interrupts.receive)
    wanted |= {SAVING: interrupts.ask_to_save} if SAVING else {}
    wanted |= {RESUMED: lambda *_: on_resumed()} if RESUMED else {}
    before = {number: signal.getsignal(number) for number in wanted}
    watched = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    try:
        for number in watched:
            signal.signal(number, wanted[number])
        yield interrupts
    finally:
        for number, handler in watched.items():
            signal.signal(number, handler)
