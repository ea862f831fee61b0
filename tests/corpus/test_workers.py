from __future__ import annotations

import functools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from lmcli.corpus.workers import ordered_map
from lmcli.errors import InputError, MachineError


def square(number: int) -> int:
    time.sleep(0.01 * (number % 3))
    return number * number


def process_of(number: int) -> int:
    return os.getpid()


def die(how: str, number: int) -> int:
    if number == 5:
        os.kill(os.getpid(), signal.SIGKILL) if how == "kill" else os._exit(3)
    return number


def fail(number: int) -> int:
    if number == 5:
        raise ZeroDivisionError("in the middle")
    if number == 9:
        raise InputError("bad text")
    return number


@pytest.mark.parametrize("workers", [1, 3])
def test_results_are_in_order(workers: int) -> None:
    assert list(ordered_map(square, range(20), workers)) == [number * number for number in range(20)]


def test_several_processes_work_unless_there_is_little_to_do() -> None:
    assert len(set(ordered_map(process_of, range(8), 2)) - {os.getpid()}) == 2
    assert set(ordered_map(process_of, range(3), 2)) == {os.getpid()}
    assert list(ordered_map(process_of, [], 2)) == []


@pytest.mark.parametrize(("how", "what"), [("kill", "killed by SIGKILL"), ("exit", "ended with code 3")])
def test_a_dead_worker_is_named_and_nothing_hangs(how: str, what: str) -> None:
    start = time.monotonic()
    with pytest.raises(MachineError, match=rf"worker 1 \(process \d+\) was {what}"):
        list(ordered_map(functools.partial(die, how), range(20), 2))
    assert time.monotonic() - start < 20


def test_errors_of_a_worker_arrive() -> None:
    with pytest.raises(RuntimeError, match="ZeroDivisionError: in the middle"):
        list(ordered_map(fail, range(20), 2))
    with pytest.raises(InputError, match="bad text"):
        list(ordered_map(fail, [9] * 4, 2))


def test_items_are_taken_one_by_one() -> None:
    taken = 0

    def items() -> Iterator[int]:
        nonlocal taken
        for number in range(100):
            taken += 1
            yield number

    results = ordered_map(square, items(), 2)
    assert next(results) == 0
    assert taken <= 6
    results.close()


def test_workers_end_with_their_parent() -> None:
    script = (
        "import os\nfrom lmcli.corpus.workers import ordered_map\nfrom tests.corpus.test_workers import process_of\n"
        "if __name__ == '__main__':\n"
        "    def items():\n"
        "        yield from range(10)\n"
        "        os.kill(os.getpid(), 9)\n"
        "    for pid in ordered_map(process_of, items(), 2):\n        print(pid, flush=True)\n"
    )
    output = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True).stdout
    pids = {int(line) for line in output.split()}
    assert len(pids) == 2
    deadline = time.monotonic() + 5
    while any(_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(_alive(pid) for pid in pids)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with open(f"/proc/{pid}/stat") as file:  # noqa: PTH123
        return file.read().rsplit(")", 1)[1].split()[0] != "Z"
