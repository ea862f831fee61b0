"""Too little memory ends a command with what is needed and what would fit; nothing that was saved is lost."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lmcli.errors import MachineError
from lmcli.objectives.batch import Batch
from lmcli.training import shortage
from lmcli.training.ingredients import Source
from lmcli.training.optimizers.adamw import AdamW
from lmcli.training.run import RunDirectory
from lmcli.training.shortage import Demand, free_bytes, held_bytes, is_shortage
from lmcli.training.world import World
from tests.conftest import Lmcli
from tests.projects import lock
from tests.training.tiny import ingredients, run_digest, run_tiny, tiny_model

DEMAND = Demand(replace(tiny_model().shape, width=1024, depth=8, ffn=2730), 64, 32, "cpu", "float32", "adamw")
LONG = replace(DEMAND, shape=replace(DEMAND.shape, context=512))
"""Activations are most of it."""


def test_what_fits_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortage, "free_bytes", lambda *_: DEMAND.memory.total)
    DEMAND.check()


def test_what_does_not_fit_is_refused_with_numbers_and_a_micro_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    free = replace(LONG, micro_rows=3).memory.total
    monkeypatch.setattr(shortage, "free_bytes", lambda *_: free)
    with pytest.raises(MachineError, match=r"needs about [\d.]+ GiB of memory and [\d.]+ GiB are free") as error:
        LONG.check()
    assert error.value.exit_code == 5
    assert "set micro_batch to 3" in str(error.value.hint)


def test_where_not_even_one_row_fits_a_smaller_model_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortage, "free_bytes", lambda *_: DEMAND.memory.total // 3)
    with pytest.raises(MachineError) as error:
        DEMAND.check()
    assert "blocks of width" in str(error.value.hint)
    monkeypatch.setattr(shortage, "free_bytes", lambda *_: 0)
    with pytest.raises(MachineError) as error:
        DEMAND.check()
    assert "shorter context" in str(error.value.hint)


KEEPING = replace(LONG, averaged=True, background=True)
NEVER, AGAIN = 'save_in_background = "never"', "recompute = true"


def test_the_micro_batch_that_is_named_fits_with_an_average_and_copies_for_the_background() -> None:
    assert "set micro_batch to 3:" in KEEPING.advice(replace(KEEPING, micro_rows=3).memory.total)

    few = replace(KEEPING, micro_rows=2)
    said = few.advice(replace(few, micro_rows=1, background=False).memory.total)
    assert f"set micro_batch to 1 and {NEVER}:" in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"background": False}, f"set {NEVER}:"),
        ({"recompute": True}, f"set {AGAIN}:"),
        ({"background": False, "recompute": True}, f"set {NEVER} and {AGAIN}:"),
    ],
)
def test_a_run_that_has_begun_is_told_what_lets_it_go_on(changes: dict[str, Any], said: str) -> None:
    assert said in KEEPING.advice(replace(KEEPING, **changes).memory.total, begun=True)


def test_a_micro_batch_that_would_begin_a_run_anew_says_so() -> None:
    lean = replace(LONG, recompute=True)
    assert "micro_batch to 3, which begins the run anew" in lean.advice(replace(lean, micro_rows=3).memory.total, True)


def test_where_one_row_is_too_much_it_may_be_computed_twice() -> None:
    row = replace(LONG, micro_rows=1, shape=replace(LONG.shape, context=8192))
    assert f"set {AGAIN}:" in row.advice(replace(row, recompute=True).memory.total)


class Four(World):
    """The first of four processes on one machine, without the others."""

    size = local_size = 4


class Quarters(Four):
    strategy = "fsdp"
    is_sharded = True


class Poorer(Four):
    """Another process finds no more than 2 GiB."""

    def highest(self, value: int) -> int:
        return max(value, -(2**31))


def test_processes_on_a_machine_share_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortage, "free_memory", lambda: 4 * DEMAND.memory.total - 4)
    monkeypatch.setattr(shortage, "_left_of_group", lambda: 2**63)
    DEMAND.check()
    with pytest.raises(MachineError, match=r"each of 4 processes needs about [\d.]+ GiB of memory and .* free for it"):
        replace(DEMAND, world=Four()).check()


def test_all_processes_stop_when_one_has_too_little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortage, "free_bytes", lambda *_: 2**40)
    replace(LONG, world=Four()).check()
    with pytest.raises(MachineError, match=r"and 2\.00 GiB are free for it"):
        replace(LONG, world=Poorer()).check()


def test_a_process_that_holds_a_part_needs_less() -> None:
    whole, part = DEMAND.memory, replace(DEMAND, world=Quarters()).memory
    numbers = DEMAND.shape.parameters
    assert (part.optimizer, part.kept) == (whole.optimizer // 4, whole.kept // 4)
    assert part.gradients < 0.6 * whole.gradients
    assert part.cut == 5 * numbers < part.total < 0.6 * whole.total


def test_what_a_process_holds_counts_as_free_for_its_next_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shortage, "free_bytes", lambda *_: 0)
    monkeypatch.setattr(shortage, "held_bytes", lambda device: replace(LONG, micro_rows=3).memory.total)
    with pytest.raises(MachineError) as error, LONG.guarded():
        raise MemoryError
    assert str(error.value.hint).endswith("set micro_batch to 3: the same batch in more parts")


def real_shortage() -> None:
    torch.empty(2**50)


@pytest.mark.parametrize(
    ("error", "known"),
    [
        (MemoryError(), True),
        (torch.cuda.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB"), True),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (OSError("No space left on device"), False),
    ],
)
def test_shortages_are_told_from_other_errors(error: BaseException, known: bool) -> None:
    assert is_shortage(error) is known


def test_what_torch_itself_says_is_known() -> None:
    with pytest.raises(RuntimeError) as error:
        real_shortage()
    assert is_shortage(error.value)


def test_other_errors_pass_the_guard_as_they_are() -> None:
    with pytest.raises(RuntimeError, match="something else"), DEMAND.guarded():
        raise RuntimeError("something else")


def short_at(step: int) -> Source:
    def wrap(source: Source) -> Source:
        def call(number: int) -> list[Batch]:
            if number == step:
                real_shortage()
            return list(source(number))

        return call

    return wrap  # type: ignore[return-value]


def test_a_shortage_in_training_leaves_the_last_checkpoint_and_the_run_goes_on_to_the_bit(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    run_tiny(tmp_path / "whole", ingredients(AdamW()))
    with (
        pytest.raises(MachineError, match=r"out of memory: training needs about [\d.]+ GiB") as error,
        DEMAND.guarded(lambda: True),
    ):
        run_tiny(tmp_path / "cut", ingredients(AdamW(), wrap=short_at(10)))
    assert error.value.exit_code == 5
    assert "the last checkpoint is as it was" in str(error.value.hint)
    saved = RunDirectory(tmp_path / "cut", "key").checkpoints
    assert saved.last is not None
    assert saved.last.step == 8
    run_tiny(tmp_path / "cut", ingredients(AdamW()))
    assert run_digest(tmp_path / "cut") == run_digest(tmp_path / "whole")


LIMITED = """
import resource, sys
import torch
from lmcli.cli import boundary, session
mapped = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
import lmcli.training.pretrain
from lmcli.training import loop
def limit(mib):
    mapped = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + mib * 2**20, resource.RLIM_INFINITY))
mib, at = int(sys.argv[1]), int(sys.argv[2])
if at:
    step = loop._Loop._train_step
    def limited(self):
        if self._state.step + 1 == at:
            limit(mib)
            torch.empty(2**31, dtype=torch.uint8)  # what a step needs itself may lie in memory that was kept
        return step(self)
    loop._Loop._train_step = limited
else:
    limit(mib)
sys.exit(boundary.run(sys.argv[3:]))
"""


def limited(mib: int, at: int, *line: object) -> subprocess.CompletedProcess[str]:
    """`lmcli LINE` in a process that may map `mib` MiB more from step `at` on (0: from the start)."""
    command = [sys.executable, "-c", LIMITED, str(mib), str(at), *map(str, line)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


TRAIN = ("train", "--steps", 8, "--width", 192, "--depth", 6, "--context", 32, "--dtype", "float32", "--threads", 1)
WIDE = ("--set", "train.batch_tokens=1024", "--set", "train.save_every=2", "--set", "train.eval_every=8")


@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_a_limit_of_the_process_is_seen_before_training_starts(trained: Path) -> None:
    done = limited(60, 0, *TRAIN, *WIDE, "--name", "second")
    assert done.returncode == 5, done.stderr
    assert "training needs about" in done.stderr
    assert "are free" in done.stderr
    assert not (trained / "runs" / "second" / "checkpoints").exists()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="limits the address space")
def test_memory_that_runs_out_at_a_step_ends_with_5_and_the_run_goes_on(trained: Path, lmcli: Lmcli) -> None:
    done = limited(1, 6, *TRAIN, *WIDE, "--name", "second")
    assert done.returncode == 5, done.stderr
    assert "out of memory" in done.stderr
    assert "the last checkpoint is as it was" in done.stderr
    assert lmcli(*TRAIN, *WIDE, "--name", "second").code == 0
    assert lmcli(*TRAIN, *WIDE, "--name", "whole").code == 0
    models = [trained / lock(trained)[name]["path"] / "model.safetensors" for name in ("second", "whole")]
    assert models[0].read_bytes() == models[1].read_bytes()


def test_what_is_free_is_less_than_what_the_machine_has() -> None:
    assert 0 < free_bytes("cpu") < 2**50
    assert 2**20 < held_bytes("cpu") < 2**40
