"""`lmcli train --nproc`, and lmcli under a launcher: what comes out, what is said, what a dead process costs."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from lmcli.cli import launching
from lmcli.errors import MachineError, Stopped
from lmcli.stages import crew
from lmcli.training.world import CommonStop
from tests.conftest import Lmcli
from tests.projects import lock
from tests.test_resume_cli import step_saved, steps_logged

STEPS = 40
TRAIN = (
    *("train", "--name", "long", "--steps", str(STEPS), "--dtype", "float32", "--set", "train.optimizer=adamw"),
    *("--set", "model.width=32", "--set", "model.depth=2", "--set", "model.context=32"),
    *("--set", "train.batch_tokens=256", "--set", "train.micro_batch=4", "--set", "train.eval_every=10"),
    *("--set", "train.save_every=5"),
)
"""8 rows in a step, 4 at once: two micro-batches."""
SAMPLES = ("--set", "train.sample_every=15", "--set", "train.sample_prompts=The")


def start(
    root: Path, *line: object, launcher: tuple[str, ...] = (), script: tuple[str, ...] = (), **environment: str
) -> subprocess.Popen[str]:
    """`lmcli LINE`, by itself, under a launcher, or as a script does it."""
    own = {"PYTHONPATH": str(Path(__file__).parent.parent), "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"}
    return subprocess.Popen(
        [*(script or (*(launcher or (sys.executable,)), "-m", "lmcli")), *map(str, line)],
        cwd=root,
        env={**os.environ, **own, **environment},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def finished(process: subprocess.Popen[str], timeout: float = 240) -> tuple[int, str, str]:
    try:
        out, err = process.communicate(timeout=timeout)
    finally:
        process.kill()
    assert "Traceback" not in err, err
    return process.returncode, out, err


def wait_for(process: subprocess.Popen[str], due: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not due() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    assert due(), process.communicate()[1] if process.poll() is not None else "nothing happened"


def process_of(rank: int, launcher: subprocess.Popen[str]) -> int:
    """The pid of a rank that a launcher has started."""
    children = Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()
    for pid in children:
        with contextlib.suppress(OSError):
            if f"\0RANK={rank}\0".encode() in b"\0" + Path(f"/proc/{pid}/environ").read_bytes():
                return int(pid)
    raise AssertionError(f"no process has rank {rank}")


def report(root: Path) -> dict[str, Any]:
    found: dict[str, Any] = lock(root)["long"]["report"]
    return found


def assert_same_course(root: Path, other: Path) -> None:
    """Two finished runs agree to within rounding."""
    assert report(root)["last"]["val_loss"] == pytest.approx(report(other)["last"]["val_loss"], abs=1e-5)
    assert report(root)["tokens"] == report(other)["tokens"]
    rows = [(path / "runs" / "long" / "metrics.jsonl").read_text().splitlines() for path in (root, other)]
    left, right = ([json.loads(row)["loss"] for row in lines] for lines in rows)
    assert left == pytest.approx(right, abs=1e-4)


@pytest.fixture(scope="module")
def alone(snapshot: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project after the same command in one process."""
    root = shutil.copytree(snapshot, tmp_path_factory.mktemp("alone") / "project")
    code, _, err = finished(start(root, *TRAIN))
    assert code == 0, err
    return root


def test_two_processes_make_the_model_of_one(trained: Path, alone: Path) -> None:
    code, out, err = finished(start(trained, *TRAIN, *SAMPLES, "--nproc", 2, "--json"))
    assert code == 0, err
    document = json.loads(out)
    assert document["artifacts"][0]["plan"]["processes"] == 2
    assert len([line for line in err.splitlines() if "passes over the corpus" in line]) == 1
    assert_same_course(trained, alone)
    assert lock(trained)["long"]["requested"] == lock(alone)["long"]["requested"]
    texts = [json.loads(row) for row in (trained / "runs" / "long" / "samples.jsonl").read_text().splitlines()]
    assert [row["step"] for row in texts] == [15, 30]
    assert "up to date" in finished(start(trained, *TRAIN))[1]


def test_what_is_fresh_or_only_planned_starts_no_process(
    lmcli: Lmcli, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lmcli("train", "--nproc", 2, "--dry-run", "--name", "other").out.startswith("would make other")
    ran = lmcli("train", "--max-restarts", 1, "--name", "other")
    assert (ran.code, "is for the processes of --nproc" in ran.err) == (2, True)
    monkeypatch.setenv("RANK", "0")
    ran = lmcli("train", "--nproc", 2, "--name", "other")
    assert (ran.code, "a launcher has done so already" in ran.err) == (2, True)
    assert lmcli("status").code == 0


@pytest.mark.slow
def test_shards_make_the_same_model(trained: Path, alone: Path) -> None:
    code, _, err = finished(start(trained, *TRAIN, *SAMPLES, "--nproc", 2, "--strategy", "fsdp"))
    assert code == 0, err
    assert err.count("no samples are written with --strategy fsdp") == 1
    assert not (trained / "runs" / "long" / "samples.jsonl").exists()
    assert lock(trained)["long"]["plan"]["strategy"] == "fsdp"
    assert_same_course(trained, alone)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "strategy"), [(signal.SIGTERM, "ddp"), (signal.SIGINT, "fsdp")])
def test_a_signal_at_the_launcher_saves_and_ends_with_its_code(
    number: signal.Signals, strategy: str, trained: Path, alone: Path
) -> None:
    process = start(trained, *TRAIN, "--nproc", 2, "--strategy", strategy)
    wait_for(process, lambda: steps_logged(trained) >= 7)
    process.send_signal(number)
    code, out, err = finished(process)
    assert (code, out) == (128 + number, "")
    assert err.splitlines()[-1].startswith("error: stopped after step "), err
    assert err.count("error:") == 1
    assert step_saved(trained) >= 7
    assert "long" not in lock(trained)
    code, _, err = finished(start(trained, *TRAIN))  # goes on in one process
    assert "going on after step" in err
    assert code == 0
    assert_same_course(trained, alone)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_process_ends_the_command(rank: int, trained: Path) -> None:
    process = start(trained, *TRAIN, "--nproc", 2, "--json")
    wait_for(process, lambda: step_saved(trained) >= 5)
    os.kill(process_of(rank, process), signal.SIGKILL)
    code, out, err = finished(process)
    assert code == MachineError.exit_code
    assert f"process {rank} of 2 was killed by SIGKILL" in err
    assert json.loads(out)["error"]["code"] == code
    assert "long" not in lock(trained)


@pytest.mark.slow
def test_max_restarts_goes_on_from_the_last_checkpoint(trained: Path, alone: Path) -> None:
    process = start(trained, *TRAIN, "--nproc", 2, "--max-restarts", 1)
    wait_for(process, lambda: step_saved(trained) >= 5)
    os.kill(process_of(1, process), signal.SIGKILL)
    code, _, err = finished(process)
    assert code == 0, err
    assert "going on after step" in err
    assert_same_course(trained, alone)


@pytest.mark.slow
def test_an_error_is_said_once_and_keeps_its_code(trained: Path) -> None:
    line = [*TRAIN, "--nproc", 2, "--json", "--set", "train.optimizer.lr=1e30", "--set", "train.clip=0"]
    code, out, err = finished(start(trained, *line))
    assert code == 7, err
    assert err.count("error:") == 1
    assert json.loads(out)["error"]["code"] == 7


@pytest.mark.slow
def test_what_all_processes_find_is_said_once(trained: Path) -> None:
    line = [*TRAIN, "--nproc", 2, "--json", "--set", "train.batch_tokens=100000000"]
    code, out, err = finished(start(trained, *line))
    assert code == 3, err
    assert err.count("error:") == 1, err
    assert "windows of 32 tokens that the corpus has" in json.loads(out)["error"]["message"]


@pytest.mark.slow
def test_what_was_made_before_can_be_made_anew_together(trained: Path, alone: Path) -> None:
    """With --force none of them takes the course that the lock has."""
    line = ("train", "--budget", "6s", "--set", "model.width=32", "--set", "model.depth=1", "--set", "model.context=32")
    assert finished(start(trained, *line))[0] == 0
    code, _, err = finished(start(trained, *line, "--nproc", 2, "--force"))
    assert code == 0, err
    assert "as lmcli.lock has them" not in err
    assert lock(trained)["model"]["plan"]["processes"] == 2


class FakeCrew:
    """Two calls, then the dismissal."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = [{"stage": "one"}, {"stage": "two"}]

    def wait(self, seconds: float = 0.0) -> dict[str, Any] | None:
        return self.calls.pop(0) if self.calls else None


@pytest.mark.parametrize(("kind", "left"), [(CommonStop, 0), (Stopped, 1)])
def test_a_signal_that_one_process_got_by_itself_ends_it(
    kind: type[Stopped], left: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Else the first process would wait for one that is polling for its next task."""
    here: Any = FakeCrew()

    def stopped(*_: object) -> None:
        raise kind(15)

    monkeypatch.setattr(crew, "_assist", stopped)
    with pytest.raises(Stopped) if left else contextlib.nullcontext():
        crew.assist(here, tmp_path, {})
    assert len(here.calls) == left


FAILING = """
import os, sys
import torch
from lmcli.cli import boundary
from lmcli.project import durable
from lmcli.training.step import Stepper
rank, what = sys.argv[1].split(":")
def full(operation, path):
    if path.name.startswith("step-"):
        raise OSError(28, "No space left on device", str(path))
def short(self, number, *rest):
    if number == 3:
        raise torch.OutOfMemoryError("out of memory")
    return step(self, number, *rest)
step = Stepper.step
if os.environ["RANK"] == rank and what == "disk":
    durable.on_operation = full
elif os.environ["RANK"] == rank:
    Stepper.step = short
sys.exit(boundary.run(sys.argv[2:]))
"""


def pair_failing(root: Path, rank: int, what: str, *line: object) -> list[tuple[int, str, str]]:
    """How two processes end, one of which fails, without a launcher that would end the other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shared: dict[str, Any] = {
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    script = (sys.executable, "-c", FAILING, f"{rank}:{what}")
    with contextlib.ExitStack() as stack:
        processes = [
            stack.enter_context(start(root, *line, script=script, **shared, RANK=str(own), LOCAL_RANK=str(own)))
            for own in range(2)
        ]
        for process in processes:
            stack.callback(process.kill)
        return [finished(process, 100) for process in processes]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
@pytest.mark.parametrize(
    ("rank", "what", "said"), [(0, "disk", "No space left"), (1, "memory", "1 of 2: out of memory")]
)
def test_no_process_waits_for_one_that_has_failed(
    rank: int, what: str, said: str, strategy: str, trained: Path
) -> None:
    ends = pair_failing(trained, rank, what, *TRAIN, "--strategy", strategy)
    assert ends[rank][0] == MachineError.exit_code
    assert said in ends[rank][2]
    assert all(err.count("error:") <= 1 for _, _, err in ends)
    assert ends[0][0] == MachineError.exit_code


TORCHRUN = (sys.executable, "-m", "torch.distributed.run")


@pytest.mark.slow
def test_run_under_torchrun_makes_everything(trained: Path) -> None:
    """Stages that don't train are rank 0's alone, and a fine-tune is shared as pretraining is."""
    tune = ("finetune", "pairs.jsonl", "--epochs", "1", "--name", "tuned", "--strategy", "fsdp")
    launcher = (*TORCHRUN, "--standalone", "--nproc-per-node=2")
    code, _, err = finished(start(trained, *tune, launcher=launcher))
    assert code == 0, err
    assert (lock(trained)["tuned"]["plan"]["processes"], lock(trained)["tuned"]["plan"]["strategy"]) == (2, "fsdp")
    text = sorted((trained / "corpus").iterdir())[0]
    text.write_text(text.read_text() + "\n\nOne more line.\n")
    code, out, err = finished(start(trained, "run", launcher=launcher))
    assert code == 0, err
    assert [line.split()[0] for line in out.splitlines() if not line.startswith(" ")] == ["tokens", "model", "tuned"]


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_processes_plan_a_time_budget_together(strategy: str, trained: Path) -> None:
    code, _, err = finished(start(trained, "train", "--budget", "12s", "--nproc", 2, "--strategy", strategy, "--force"))
    assert code == 0, err
    run = json.loads((trained / "runs" / "model" / "run.json").read_text())
    assert run["plan"]["budget"]["seconds"] == 12
    assert run["plan"]["batching"]["micro_rows"] * 2 >= run["plan"]["batching"]["rows"]
    assert lock(trained)["model"]["report"]["steps"] == [run["plan"]["pace"], *run["replans"]][-1]["steps"]


@contextlib.contextmanager
def two_hosts(tag: str) -> Iterator[tuple[str, str]]:
    """Two network namespaces that a cable joins: 10.77.0.1 and 10.77.0.2, on interfaces called lmc0."""
    names = (f"lmcli-{tag}-a", f"lmcli-{tag}-b")

    def ip(*arguments: str) -> None:
        done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"`ip {' '.join(arguments)}`: {done.stderr.strip()}")

    if shutil.which("ip") is None:
        pytest.skip("`ip` is not here")
    try:
        for name in names:
            ip("netns", "add", name)
        ip("-n", names[0], "link", "add", "lmc0", "type", "veth", "peer", "name", "lmc0", "netns", names[1])
        for number, name in enumerate(names, 1):
            ip("-n", name, "addr", "add", f"10.77.0.{number}/24", "dev", "lmc0")
            ip("-n", name, "link", "set", "lmc0", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_hosts_train_one_model(strategy: str, trained: Path, alone: Path) -> None:
    with two_hosts(f"{os.getpid()}-{strategy}") as hosts:
        processes = []
        for number, host in enumerate(hosts, 1):
            launcher = (
                *("ip", "netns", "exec", host, *TORCHRUN, "--nnodes=2", "--nproc-per-node=1", "--rdzv-backend=c10d"),
                *("--rdzv-endpoint=10.77.0.1:29400", f"--rdzv-conf=is_host={number == 1}", "--rdzv-id=one"),
                f"--local-addr=10.77.0.{number}",
            )
            line = (*TRAIN, "--strategy", strategy)
            processes.append(start(trained, *line, launcher=launcher, GLOO_SOCKET_IFNAME="lmc0"))
        with contextlib.ExitStack() as stack:
            for process in processes:
                stack.enter_context(process)
                stack.callback(process.kill)
            ends = [finished(process, 100) for process in processes]
    assert [code for code, _, _ in ends] == [0, 0], ends
    assert sum("long -> artifacts/" in out for _, out, _ in ends) == 1
    assert_same_course(trained, alone)


@pytest.mark.parametrize(
    ("codes", "code", "said"),
    [
        ({0: 3}, 3, ""),
        ({0: 3, 1: 3}, 3, ""),
        ({0: 5, 1: -9}, 5, "process 1 of 2 was killed by SIGKILL"),
        ({0: -9}, 5, "process 0 of 2 was killed by SIGKILL"),
        ({0: 5, 1: 4}, 4, "process 1 of 2 ended with exit code 4"),
    ],
)
def test_the_launcher_tells_what_no_process_can(codes: dict[int, int], code: int, said: str) -> None:
    with pytest.raises((typer.Exit, MachineError)) as ended:
        launching._explain(codes, 2)
    assert ended.value.exit_code == code
    assert getattr(ended.value, "message", "") == said


def test_cores_are_divided_and_settings_of_the_shell_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "environ", {"GLOO_SOCKET_IFNAME": "eth7"})
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(9)))
    launching._prepare_environment(4)
    assert os.environ["OMP_NUM_THREADS"] == "2"
    assert os.environ["GLOO_SOCKET_IFNAME"] == "eth7"
