"""Every stage, met by a failing disk or a kill at one durable operation after the other, ends as if nothing had been.

The default run strikes each operation of the quick stages with one of the faults in turn and a spread of those of the
long ones; the slow run strikes each with every fault.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

from lmcli.errors import MachineError
from lmcli.project import maintenance
from lmcli.project.project import Project
from tests.faults import FAULTS, FULL_DISK, KILL, Trial, for_each_fault, operations
from tests.projects import TINY, command, digests, lock, write_rows
from tests.texts import write_corpus

Line = tuple[object, ...]

CLEAN: Line = ("clean", "--workers", 1)
TOKENIZE: Line = ("tokenize", "--workers", 1)
TRAIN: Line = ("train", "--steps", 8, *TINY)
FINETUNE: Line = ("finetune", "pairs.jsonl", "--steps", 4, "--set", "finetune.save_every=2", "--eval-every", 2)
EVAL: Line = ("eval",)
EVAL_ROWS: Line = ("eval", "pairs.jsonl", "--model", "pairs", "--limit", 2, "--max-tokens", 3, "--metric", "exact")
GENERATE: Line = ("generate", "The", "--save", "said", "--seed", 1, "--max-tokens", 4)
CHAIN = (CLEAN, TOKENIZE, TRAIN, FINETUNE, EVAL, EVAL_ROWS, GENERATE)

QUICK = (CLEAN, TOKENIZE, EVAL, GENERATE)
BEHIND: Line = (*TRAIN, "--set", "train.save_in_background=always")
LONG = (TRAIN, FINETUNE, BEHIND)
SPREAD = 8


@dataclass(frozen=True)
class Before:
    """The project as it was before each stage of the chain, and what the chain ends with when nothing goes wrong."""

    snapshots: dict[Line, Path]
    ends: dict[Line, dict[str, str]]


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Before:
    home = tmp_path_factory.mktemp("faults")
    root = home / "project"
    write_corpus(root / "corpus", files=2, lines=40)
    write_rows(root / "pairs.jsonl")
    assert command(root, "init") == 0
    found = Before({}, {})
    for number, line in enumerate(CHAIN):
        found.snapshots[line] = shutil.copytree(root, home / str(number))
        act(line)(root)
        found.ends[line] = digests(root)
    found.snapshots[BEHIND], found.ends[BEHIND] = found.snapshots[TRAIN], found.ends[TRAIN]
    return found


def act(*lines: Line) -> Callable[[Path], None]:
    """The commands as an action: a failure of the machine is exit code 5, and no other failure is allowed."""

    def action(root: Path) -> None:
        for line in lines:
            code = command(root, *line)
            if code == MachineError.exit_code:
                raise MachineError(f"{line} met the fault")
            assert code == 0, (line, code)

    return action


def judge(snapshot: Path, ends: dict[str, str], *lines: Line) -> Callable[[Path, Trial], None]:
    """After the fault nothing is damaged or lost, and the same commands end as without it, leaving nothing behind."""
    earlier = lock(snapshot)

    def check(root: Path, trial: Trial) -> None:
        project = Project(root)
        assert maintenance.verify(project).damaged == ()
        assert {name: entry for name, entry in lock(root).items() if name in earlier} == earlier
        if not trial.failed:
            assert digests(root) == ends
        act(*lines)(root)
        assert digests(root) == ends
        maintenance.gc(project)
        kept = {entry["path"] for entry in lock(root).values()}
        made = {path.relative_to(root).as_posix() for path in project.artifacts.glob("*/*")}
        assert {path for path in made if not path.startswith("artifacts/sources/")} == kept

    return check


def in_turn(count: int) -> Callable[[int], Iterable[int]]:
    """Each operation is struck once, by one fault after the other."""
    return lambda fault: range(1 + fault, count + 1, len(FAULTS))


def spread(count: int) -> Callable[[int], Iterable[int]]:
    """The first, the last and some between: two faults take turns."""
    chosen = sorted({1, 2, count - 1, count} | {math.ceil(n * count / SPREAD) for n in range(1, SPREAD)})
    return lambda fault: chosen[fault::2]


@pytest.mark.parametrize("line", QUICK, ids=lambda line: f"{line[0]}-{len(line)}")
def test_each_operation_of_a_quick_stage_is_struck_once(before: Before, line: Line) -> None:
    snapshot = before.snapshots[line]
    count = operations(snapshot, act(line))
    trials = for_each_fault(snapshot, act(line), judge(snapshot, before.ends[line], line), points=in_turn(count))
    assert trials == count >= 10


@pytest.mark.parametrize("line", LONG, ids=lambda line: f"{line[0]}-{len(line)}")
def test_operations_all_over_a_run_are_struck(before: Before, line: Line) -> None:
    snapshot = before.snapshots[line]
    points = spread(operations(snapshot, act(line)))
    check = judge(snapshot, before.ends[line], line)
    assert for_each_fault(snapshot, act(line), check, (KILL, FULL_DISK), points) >= SPREAD


@pytest.mark.slow
@pytest.mark.parametrize("line", CHAIN, ids=lambda line: f"{line[0]}-{len(line)}")
def test_every_fault_at_every_operation_of_a_stage(before: Before, line: Line) -> None:
    snapshot = before.snapshots[line]
    count = operations(snapshot, act(line))
    assert for_each_fault(snapshot, act(line), judge(snapshot, before.ends[line], line)) == len(FAULTS) * count


@pytest.mark.slow
def test_kills_at_every_operation_of_the_whole_chain(before: Before) -> None:
    """One project is killed again and again, a little further each time, until it gets through."""
    snapshot, ends = before.snapshots[CHAIN[0]], before.ends[CHAIN[-1]]
    count = operations(snapshot, act(*CHAIN))
    assert for_each_fault(snapshot, act(*CHAIN), judge(snapshot, ends, *CHAIN), (KILL,)) == count
