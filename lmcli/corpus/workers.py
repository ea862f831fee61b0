"""A function over many items in several processes, with the results in the order of the items."""

from __future__ import annotations

import contextlib
import itertools
import multiprocessing
import signal
import traceback
from collections.abc import Callable, Generator, Iterable, Iterator
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from lmcli.errors import LmcliError, MachineError

T = TypeVar("T")
R = TypeVar("R")

FEW = 4  # items: with fewer, starting processes takes longer than the work


def ordered_map(function: Callable[[T], R], items: Iterable[T], workers: int) -> Generator[R]:
    """`function` of each item, in order; with one worker or few items, in this process.

    The function and the items are sent to fresh processes ("spawn": a fork copies locks that other threads hold). A
    worker has one item at a time, so memory is bounded. One that dies is a MachineError that names it; when this
    process dies, its workers see their pipes close and end.
    """
    waiting = iter(items)
    first = list(itertools.islice(waiting, FEW))
    if workers <= 1 or len(first) < FEW:
        yield from map(function, itertools.chain(first, waiting))
        return
    pool: list[_Worker] = []
    try:
        for number in range(workers):
            pool.append(_Worker(function, number))
        yield from _round_robin(pool, itertools.chain(first, waiting))
    finally:
        for worker in pool:
            worker.stop()


def _round_robin(pool: list[_Worker], items: Iterable[Any]) -> Iterator[Any]:
    """Item i goes to worker i mod n, which gets another one only when its result has been taken: order for free."""
    number = 0
    for number, item in enumerate(items):
        worker = pool[number % len(pool)]
        done = [worker.result()] if worker.busy else []
        worker.give(item)  # first, so that it is busy while its last result is used
        yield from done
    for offset in range(1, len(pool) + 1):
        worker = pool[(number + offset) % len(pool)]
        if worker.busy:
            yield worker.result()


class _Worker:
    """A process at the other end of a pipe."""

    def __init__(self, function: Callable[[Any], Any], number: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, function), name=f"worker {number}", daemon=True)
        self._process.start()
        theirs.close()
        self.busy = False

    def give(self, item: Any) -> None:
        try:
            self._pipe.send(item)
        except OSError:
            raise self._death() from None
        self.busy = True

    def result(self) -> Any:
        try:
            failed, value = self._pipe.recv()
        except (EOFError, OSError):
            raise self._death() from None
        self.busy = False
        if failed:
            raise value if isinstance(value, LmcliError) else RuntimeError(value)
        return value

    def _death(self) -> MachineError:
        self._process.join(10)
        code = self._process.exitcode
        how = f"killed by {signal.Signals(-code).name}" if code and code < 0 else f"ended with code {code}"
        hint = "if memory ran out, use fewer workers; then run the command again"
        return MachineError(f"{self._process.name} (process {self._process.pid}) was {how}", hint)

    def stop(self) -> None:
        self._pipe.close()
        if self.busy:
            self._process.terminate()
        self._process.join(10)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _serve(pipe: Connection, function: Callable[[Any], Any]) -> None:
    """The life of a worker: items in, results out, until the pipe closes. Ctrl-C is its parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, OSError):
        while True:
            item = pipe.recv()
            try:
                answer = (False, function(item))
            except LmcliError as error:
                answer = (True, error)
            except Exception:
                answer = (True, traceback.format_exc())
            pipe.send(answer)
