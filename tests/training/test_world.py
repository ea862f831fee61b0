"""Several processes train the model that one process would: strategies, stops and resumes against one another."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from lmcli.errors import ArtifactError
from lmcli.objectives.batch import IGNORED, Batch
from lmcli.training.average import Averaging
from lmcli.training.layout import Layout
from lmcli.training.metrics import read_metrics
from lmcli.training.optimizers.adamw import AdamW
from lmcli.training.optimizers.muon import Muon
from lmcli.training.replicas import BUCKET, Replicas, _buckets
from lmcli.training.run import RunDirectory
from lmcli.training.world import SOLO, LostContactError, lost_peers
from tests.once import made_once
from tests.training import ranks
from tests.training.tiny import STEPS, ingredients, run_tiny

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What two processes left."""
    return made_once(tmp_path_factory, "pair", lambda folder: ranks.start("everything", folder, 2))


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same runs in this process, with the same two micro-batches in a step."""
    torch.set_num_threads(1)
    folder = tmp_path_factory.mktemp("alone")
    run_tiny(folder / "adamw", ingredients(AdamW()))
    run_tiny(folder / "muon", ingredients(Muon()))
    return folder


def last(path: Path) -> dict[str, Tensor]:
    """Weights and optimizer state of a run's last checkpoint."""
    model, optimizer = RunDirectory(path, "key").checkpoints.load_last()
    return {**model, **optimizer}


def distance(path: Path, other: Path) -> float:
    """The largest difference of any number in the last checkpoints of two runs."""
    left, right = last(path), last(other)
    assert left.keys() == right.keys()
    return max(float((left[name] - right[name]).abs().max()) for name in left)


def losses(path: Path) -> list[float]:
    return [value for row in read_metrics(path / "metrics.jsonl") for value in (row["loss"], row.get("val_loss", 0.0))]


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_train_what_one_does_with_two_micro_batches(strategy: str, pair: Path, alone: Path) -> None:
    """Dropout included: it hangs on the micro-batch, not on who computes it."""
    assert distance(pair / "straight" / f"{strategy}-adamw", alone / "adamw") < 1e-5
    assert losses(pair / "straight" / f"{strategy}-adamw") == pytest.approx(losses(alone / "adamw"), abs=1e-5)


def test_shards_train_what_replicas_do(pair: Path) -> None:
    assert distance(pair / "straight" / "fsdp-adamw", pair / "straight" / "ddp-adamw") < 1e-5


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_muon_makes_whole_matrices_orthogonal(strategy: str, pair: Path, alone: Path) -> None:
    """Newton-Schulz enlarges rounding, in bfloat16 where that is fast, so that the weights agree less closely."""
    assert distance(pair / "straight" / f"{strategy}-muon", alone / "muon") < 3e-3


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_weights_and_norm_of_the_first_process_count(strategy: str, pair: Path) -> None:
    assert distance(pair / "apart" / strategy, pair / "straight" / f"{strategy}-adamw") == 0


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
@pytest.mark.parametrize("name", ranks.OF_TORCH)
def test_rules_of_torch_go_on_and_move_parts_as_they_move_wholes(
    name: str, strategy: str, pair: Path, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    run_tiny(tmp_path / "alone", ingredients(ranks.OF_TORCH[name]()))
    together = pair / "gone-on" / f"{strategy}-{name}"
    assert distance(together, tmp_path / "alone") < 1e-5
    assert [row["step"] for row in read_metrics(together / "metrics.jsonl")] == list(range(1, STEPS + 1))


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_the_average_of_the_weights_is_that_of_one_process(strategy: str, pair: Path, tmp_path: Path) -> None:
    parts = ingredients(AdamW())
    parts.stepper.optimizer = Averaging(parts.stepper.optimizer, parts.stepper.model, ranks.DECAY)
    run_tiny(tmp_path / "alone", parts)
    assert distance(pair / "averaged" / strategy, tmp_path / "alone") < 1e-5
    best, expected = (
        RunDirectory(path, "key").checkpoints.load_best() for path in (pair / "averaged" / strategy, tmp_path / "alone")
    )
    assert max(float((best[name] - expected[name]).abs().max()) for name in expected) < 1e-5


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_a_checkpoint_that_one_process_was_asked_for_is_saved_by_all(strategy: str, pair: Path) -> None:
    older = RunDirectory(pair / "averaged" / strategy, "key").checkpoints.earlier
    assert [checkpoint.step for checkpoint in older] == [20, 16, 12, 8, ranks.STOP_AT]


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_all_stop_at_the_step_at_which_one_got_a_signal(strategy: str, pair: Path) -> None:
    run = RunDirectory(pair / "stopped" / strategy, "key")
    assert run.checkpoints.last is not None
    assert run.checkpoints.last.step == ranks.STOP_AT - 1
    assert run.plan is not None
    assert (run.plan.processes, run.plan.strategy) == (2, strategy)


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_one_process_goes_on_from_the_checkpoint_of_two(strategy: str, pair: Path, alone: Path, tmp_path: Path) -> None:
    path = shutil.copytree(pair / "stopped" / strategy, tmp_path / "run")
    run_tiny(path, ingredients(AdamW()))
    assert distance(path, alone / "adamw") < 1e-5
    assert [row["step"] for row in read_metrics(path / "metrics.jsonl")] == list(range(1, STEPS + 1))


@pytest.mark.slow
def test_three_processes_go_on_from_the_checkpoints_of_two_and_of_one(pair: Path, alone: Path, tmp_path: Path) -> None:
    """One of the three has no micro-batch of its own; and each strategy reads what the other wrote."""
    sources = {"ddp-ddp": "ddp", "ddp-fsdp": "fsdp", "fsdp-fsdp": "fsdp", "fsdp-ddp": "ddp"}
    for name, source in sources.items():
        shutil.copytree(pair / "stopped" / source, tmp_path / "runs" / name)
    ranks.start("resumed", tmp_path / "runs", 3)
    for name in sources:
        assert distance(tmp_path / "runs" / name, alone / "adamw") < 1e-5, name


@pytest.mark.slow
def test_two_processes_give_the_same_bits_again(pair: Path, tmp_path: Path) -> None:
    """A stop and a resume with the same number of processes changes nothing at all."""
    for strategy in ("ddp", "fsdp"):
        shutil.copytree(pair / "stopped" / strategy, tmp_path / "runs" / strategy)
    ranks.start("resumed", tmp_path / "runs", 2)
    for strategy in ("ddp", "fsdp"):
        again, whole = last(tmp_path / "runs" / strategy), last(pair / "straight" / f"{strategy}-adamw")
        assert all(torch.equal(again[name], whole[name]) for name in whole), strategy


def test_rank_0_finishes_with_the_best_weights(pair: Path) -> None:
    left, right = (pair / "straight" / name for name in ("ddp-adamw", "fsdp-adamw"))
    best = [RunDirectory(path, "key").checkpoints.load_best() for path in (left, right)]
    assert max(float((best[0][name] - best[1][name]).abs().max()) for name in best[0]) < 1e-5
    assert (left / "best").read_text() != ""


def test_a_damaged_part_is_noticed(pair: Path, tmp_path: Path) -> None:
    path = shutil.copytree(pair / "stopped" / "fsdp", tmp_path / "run")
    part = sorted(path.rglob("model/*.safetensors"))[-1]
    data = bytearray(part.read_bytes())
    data[-1] ^= 1
    part.write_bytes(data)
    with pytest.raises(ArtifactError, match="is damaged"):
        run_tiny(path, ingredients(AdamW()))


def test_a_part_that_reads_back_otherwise_stops_all_and_the_old_checkpoint_stays(pair: Path) -> None:
    checkpoints = RunDirectory(pair / "rotten" / "fsdp", "key").checkpoints
    assert checkpoints.last is not None
    assert checkpoints.last.step == 4
    checkpoints.check_last()
    assert checkpoints.load_last()


def test_the_same_state_is_no_other_for_being_shared(pair: Path) -> None:
    """Nothing but files of the first process and parts of the others lies in a run."""
    for path in (pair / "straight").iterdir():
        names = {item.name for item in path.iterdir()}
        assert names == {"run.json", "metrics.jsonl", "checkpoints.json", "checkpoints", "best"}
        assert json.loads((path / "run.json").read_text())["plan"]["processes"] == 2
        assert not list(path.rglob(".tmp-*"))


class Third(Replicas):
    """The last of three processes, without the others."""

    def __init__(self) -> None:
        self.rank, self.size, self.local_rank, self.local_size = 2, 3, 2, 3


def batch(count: int) -> Batch:
    zeros = torch.zeros(2, 4, dtype=torch.int64)
    return Batch(inputs=zeros, targets=zeros, counts={"causal": count}, tokens=count)


def test_micro_batches_are_dealt_out_in_turn_and_idle_ones_fill_up() -> None:
    batches = [batch(number) for number in range(1, 6)]
    dealt = list(Third().share(batches))
    assert [(index, item.counts["causal"]) for index, item in dealt] == [(2, 3), (5, 0)]
    assert bool((dealt[1][1].targets == IGNORED).all())
    assert [index for index, _ in SOLO.share(batches)] == [0, 1, 2, 3, 4]


def test_gradients_travel_in_buckets() -> None:
    sizes = [BUCKET // 2, BUCKET // 2, 1, BUCKET + 1, 3]
    tensors = [torch.empty(size, device="meta") for size in sizes]
    tensors.append(torch.empty(3, device="meta", dtype=torch.bfloat16))
    found = [[tensor.numel() for tensor in bucket] for bucket in _buckets(tensors)]
    assert found == [sizes[:2], sizes[2:3], sizes[3:4], sizes[4:], [3]]


@pytest.mark.parametrize(("rows", "processes", "micro_rows"), [(8, 2, 4), (8, 3, 3), (2, 8, 1), (64, 2, 16)])
def test_each_process_gets_a_micro_batch(rows: int, processes: int, micro_rows: int) -> None:
    assert Layout(32, rows, 16 if rows == 64 else rows).shared(processes).micro_rows == micro_rows


def test_a_lost_process_is_told_from_other_errors() -> None:
    with pytest.raises(LostContactError), lost_peers():
        raise RuntimeError("[../third_party/gloo/gloo/transport/tcp/pair.cc:547] Connection closed by peer")
    with pytest.raises(RuntimeError, match="shape"), lost_peers():
        raise RuntimeError("shape mismatch")


def test_a_solo_world_changes_nothing() -> None:
    layer = nn.Linear(2, 2)
    SOLO.reduce(list(layer.parameters()))
    assert layer.weight.grad is None
    assert SOLO.sum(1.5, 2.0) == (1.5, 2.0)
    assert (SOLO.highest(3), SOLO.first("a"), SOLO.norm(2.0)) == (3, "a", 2.0)
    SOLO.copy({})
