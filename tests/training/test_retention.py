"""Which checkpoints are kept, and that none goes before the newer one has been read back."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lmcli.errors import MachineError
from lmcli.training import checkpoints
from lmcli.training.checkpoints import Checkpoints
from lmcli.training.optimizers.adamw import AdamW
from lmcli.training.run import RunDirectory
from lmcli.training.state import Best, State
from tests.training.tiny import ingredients, operations, run_digest, run_tiny


def on_disk(path: Path) -> list[int]:
    return sorted(int(item.name.split("-")[1]) for item in (path / "checkpoints").iterdir())


@pytest.mark.parametrize(("keep", "steps"), [(1, [21]), (2, [20, 21]), (4, [12, 16, 20, 21])])
def test_the_latest_are_kept_beside_the_best(keep: int, steps: list[int], tmp_path: Path) -> None:
    state = run_tiny(tmp_path, ingredients(AdamW(), keep=keep))
    assert state.best is not None
    assert set(on_disk(tmp_path)) == {*steps, state.best.step} | stable_of(tmp_path)
    kept = RunDirectory(tmp_path, "key").checkpoints
    assert [item.step for item in kept.earlier] == steps[-2::-1]
    assert kept.last is not None
    assert kept.last.step == 21


def stable_of(path: Path) -> set[int]:
    stable = RunDirectory(path, "key").checkpoints.stable
    return {stable.step} if stable else set()


def test_fewer_are_kept_once_fewer_are_asked_for(tmp_path: Path) -> None:
    run_tiny(tmp_path, ingredients(AdamW(), keep=3, validate=None), steps=12)
    run_tiny(tmp_path / "more", ingredients(AdamW(), keep=3))
    assert len(on_disk(tmp_path / "more")) >= 3
    save(Checkpoints(tmp_path / "more"), 50)
    assert Checkpoints(tmp_path / "more").earlier == ()


def test_how_many_are_kept_changes_no_result(tmp_path: Path) -> None:
    for keep in (1, 3):
        run_tiny(tmp_path / str(keep), ingredients(AdamW(), keep=keep))
    assert run_digest(tmp_path / "1") == run_digest(tmp_path / "3")


def save(target: Checkpoints, step: int) -> None:
    weights = {"weight": torch.full((3,), float(step))}
    target.save(State(step=step, best=Best(step, None)), weights, {"moment": torch.ones(2)}, weights)


def test_what_reads_back_otherwise_ends_the_command_and_the_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save(Checkpoints(tmp_path), 1)
    again = checkpoints._read_again

    def rotten(path: Path, digest: str) -> None:
        if path.name == "optimizer.safetensors":
            path.write_bytes(path.read_bytes()[:-1] + b"x")
        again(path, digest)

    monkeypatch.setattr(checkpoints, "_read_again", rotten)
    with pytest.raises(MachineError, match="reads back otherwise than it was written") as error:
        save(Checkpoints(tmp_path), 2)
    assert error.value.exit_code == 5
    left = Checkpoints(tmp_path)
    assert left.last is not None
    assert left.last.step == 1
    weights, _ = left.load_last()
    assert torch.equal(weights["weight"], torch.ones(3))


def test_nothing_is_removed_before_the_new_one_was_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, done = Checkpoints(tmp_path), []
    save(target, 1)
    again = checkpoints._read_again
    monkeypatch.setattr(checkpoints, "_read_again", lambda path, digest: (again(path, digest), done.append(path.name)))
    with operations(lambda operation, path: done.append(operation) if operation == "remove_tree" else None):
        save(target, 2)
    assert done == ["model.safetensors", "optimizer.safetensors", "state.json", "remove_tree"]
