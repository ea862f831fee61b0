from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from lmcli.errors import ArtifactError, MachineError
from lmcli.training.checkpoints import Checkpoints, check_space
from lmcli.training.plan import Budget, Plan, Replan
from lmcli.training.run import RunDirectory
from lmcli.training.state import Best, Figures, State
from tests.training.tiny import operations, plan

MODEL = {"a.weight": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2)}
OPTIMIZER = {"a.weight.momentum": torch.full((2, 3), 0.5), "b.step": torch.tensor(3.0)}


def state(step: int, best: int | None = None) -> State:
    return State(step=step, tokens=16 * step, best=Best(best, Figures(2.0, 1.0)) if best else None)


def save(checkpoints: Checkpoints, step: int, best: int | None = None) -> None:
    weights = {name: tensor + step for name, tensor in MODEL.items()}
    chosen = {name: tensor + best for name, tensor in MODEL.items()} if best else None
    checkpoints.save(state(step, best), weights, OPTIMIZER, chosen)


def directories(path: Path) -> list[int]:
    return sorted(int(item.name.split("-")[1]) for item in (path / "checkpoints").iterdir())


def test_the_plan_is_there_before_anything_else_and_comes_back(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run", "key")
    assert run.plan is None
    run.begin(plan(steps=50))
    run.log_replan(Replan(20, 44))
    again = RunDirectory(tmp_path / "run", "key")
    assert again.plan == plan(steps=50)
    assert again.timeline.steps == 44


def test_a_plan_survives_json() -> None:
    budget = Budget(seconds=60.0, closing_seconds=1.5, most_steps=99)
    values = {**plan().to_json(), "budget": {"seconds": 60.0, "closing_seconds": 1.5, "most_steps": 99}}
    assert Plan.from_json(json.loads(json.dumps(values))).budget == budget
    with pytest.raises(ArtifactError, match="plan of the run is damaged"):
        Plan.from_json({"model": {}})


def test_another_key_moves_the_run_aside_and_deletes_nothing(tmp_path: Path) -> None:
    for key in ("first", "second", "third"):
        run = RunDirectory(tmp_path / "run", key)
        assert run.plan is None
        run.begin(plan())
        save(run.checkpoints, 1)
    kept = {path.name: json.loads((path / "run.json").read_text())["key"] for path in tmp_path.iterdir()}
    assert kept == {"run": "third", "run.1": "first", "run.2": "second"}
    assert directories(tmp_path / "run.1") == [1]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"format": 1}', '{"format": 99, "key": "key"}'])
def test_a_damaged_run_file_is_named(content: str, tmp_path: Path) -> None:
    RunDirectory(tmp_path / "run", "key").begin(plan())
    (tmp_path / "run" / "run.json").write_text(content)
    with pytest.raises(ArtifactError, match=r"run\.json"):
        RunDirectory(tmp_path / "run", "key")


def test_what_a_crash_left_behind_is_removed(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run", "key")
    run.begin(plan())
    save(run.checkpoints, 4)
    (run.path / "checkpoints" / "step-00000008-0badf00d").mkdir()
    (run.path / "checkpoints" / "step-00000008-0badf00d" / "model.safetensors").write_bytes(b"half")
    (run.path / ".tmp-run.json-1234").write_text("{")
    RunDirectory(tmp_path / "run", "key")
    assert directories(run.path) == [4]
    assert not list(run.path.glob(".tmp-*"))


def test_a_checkpoint_comes_back_as_it_was(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    assert checkpoints.state() is None
    save(checkpoints, 4, best=4)
    again = Checkpoints(tmp_path)
    weights, optimizer = again.load_last()
    assert again.state() == state(4, 4)
    assert {name: tensor.tolist() for name, tensor in weights.items()} == {
        name: (tensor + 4).tolist() for name, tensor in MODEL.items()
    }
    assert {name: tensor.tolist() for name, tensor in optimizer.items()} == {
        name: tensor.tolist() for name, tensor in OPTIMIZER.items()
    }
    assert directories(tmp_path) == [4]


def test_the_best_stays_and_the_last_but_one_goes(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 2, best=2)
    checkpoints.save(state(4, 2), MODEL, OPTIMIZER, None)
    assert directories(tmp_path) == [2, 4]
    checkpoints.save(state(6, 2), MODEL, OPTIMIZER, None)
    assert directories(tmp_path) == [2, 6]
    save(checkpoints, 8, best=7)
    assert directories(tmp_path) == [7, 8]
    assert Checkpoints(tmp_path).load_best()["b"].tolist() == [8.0, 8.0]


def test_the_older_checkpoint_goes_only_after_the_newer_one_is_committed(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path)
    save(checkpoints, 2, best=2)
    order: list[str] = []
    with operations(lambda operation, path: order.append(f"{operation} {path.name}")):
        save(checkpoints, 4, best=4)
    commit = order.index("replace checkpoints.json")
    removals = [place for place, what in enumerate(order) if what.startswith("remove_tree")]
    assert removals
    assert min(removals) > commit


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.7, 0.99])
def test_one_flipped_bit_is_noticed_and_named(name: str, place: float, tmp_path: Path) -> None:
    save(Checkpoints(tmp_path), 4)
    file = next((tmp_path / "checkpoints").glob(f"*/{name}"))
    data = bytearray(file.read_bytes())
    data[int(place * len(data))] ^= 4
    file.write_bytes(data)
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(ArtifactError, match=name) as error:
        checkpoints.state()
        checkpoints.load_last()
    assert error.value.exit_code == 4


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "state.json"])
def test_a_missing_file_is_named(name: str, tmp_path: Path) -> None:
    save(Checkpoints(tmp_path), 4)
    next((tmp_path / "checkpoints").glob(f"*/{name}")).unlink()
    checkpoints = Checkpoints(tmp_path)
    with pytest.raises(ArtifactError, match=f"{name} is missing"):
        checkpoints.state()
        checkpoints.load_last()


@pytest.mark.parametrize("damage", ["", "{", '{"format": 1}', '{"format": 2, "last": null, "best": null}'])
def test_a_damaged_pointer_is_named(damage: str, tmp_path: Path) -> None:
    save(Checkpoints(tmp_path), 4)
    (tmp_path / "checkpoints.json").write_text(damage)
    with pytest.raises(ArtifactError, match=r"checkpoints\.json"):
        Checkpoints(tmp_path)


def test_too_little_space_is_said_before_any_work(tmp_path: Path) -> None:
    check_space(tmp_path, 1000)
    with pytest.raises(MachineError, match="are free"):
        check_space(tmp_path, 2**60)
