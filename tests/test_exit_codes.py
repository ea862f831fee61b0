"""Each exit code that scripts rely on, reached by a command; real processes where signals and pipes are concerned."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lmcli.project import busy, durable
from tests.conftest import Lmcli
from tests.projects import TINY, digests, tree


def process(root: Path, *line: str, **options: object) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
    command = [sys.executable, "-m", "lmcli", *line]
    return subprocess.Popen(command, cwd=root, env=environment, text=True, stderr=subprocess.PIPE, **options)


def test_0_nothing_to_do(lmcli: Lmcli, trained: Path) -> None:
    assert lmcli("run").code == 0


def test_2_the_command_line_is_wrong(lmcli: Lmcli, trained: Path) -> None:
    for line in (("trian",), ("train", "--stepz", 3), ("train", "--steps", 3, "--epochs", 1), ("train", "--seed", "x")):
        assert lmcli(*line).code == 2, line
    assert "did you mean train?" in lmcli("trian").err


@pytest.mark.parametrize(
    ("text", "place", "hint"),
    [
        ("[train]\nsteps = 3\n", "lmcli.toml:2", "known keys"),
        ("[train]\nlenght = 3\n", "lmcli.toml:2", "did you mean length?"),
        ("[trian]\nseed = 3\n", "lmcli.toml:1", "did you mean train?"),
        ("\n\n[train]\nseed = -3\n", "lmcli.toml:4", ""),
        ("[train]\nlength = 'soon'\n", "lmcli.toml:2", "2000 steps"),
        ("[train.optimizer]\nname = 'adma'\n", "lmcli.toml:2", "did you mean"),
        ("[train\n", "lmcli.toml:1", "toml.io"),
    ],
)
def test_3_a_setting_is_wrong(lmcli: Lmcli, trained: Path, text: str, place: str, hint: str) -> None:
    (trained / "lmcli.toml").write_text(text)
    before = tree(trained)
    for line in (("status",), ("run",), ("train", "--force")):
        ran = lmcli(*line)
        assert ran.code == 3, (line, ran.err)
        assert place in ran.err
        assert hint in ran.err
    assert tree(trained) == before


def test_3_there_is_no_text(lmcli: Lmcli, folder: Path) -> None:
    assert lmcli("status").code == 3
    assert lmcli("init").code == 0
    empty = lmcli("tokenize", "corpus/")
    assert empty.code == 3
    assert "corpus" in empty.err
    (folder / "corpus" / "blank.txt").write_text("")
    assert lmcli("tokenize", "corpus/").code == 3
    (folder / "corpus" / "blank.txt").write_bytes(b"good\n\xff\xfe\xfa bad \x81\n" * 3)
    broken = lmcli("tokenize", "corpus/", "--encoding", "utf-8")
    assert broken.code == 3
    assert "corpus/blank.txt" in broken.err
    assert lmcli("verify").code == 0


def test_4_something_is_missing_or_damaged(lmcli: Lmcli, trained: Path) -> None:
    for line in (("path", "modle"), ("show", "modle"), ("run", "modle")):
        assert lmcli(*line).code == 4, line
    assert "did you mean model?" in lmcli("path", "modle").err
    (trained / "lmcli.lock").write_text((trained / "lmcli.lock").read_text().replace("sha", "sah").replace("1", "2", 1))
    for line in (("status",), ("run",), ("verify",), ("train",), ("generate", "The")):
        ran = lmcli(*line)
        assert ran.code == 4, line
        assert "lmcli.lock is damaged" in ran.err


def test_4_training_before_tokenizing(lmcli: Lmcli, folder: Path) -> None:
    assert lmcli("init").code == 0
    ran = lmcli("train", "--steps", 2)
    assert ran.code == 4
    assert "lmcli tokenize" in ran.err
    ran = lmcli("generate", "The")
    assert ran.code == 4
    assert "lmcli train" in ran.err


def test_5_a_full_disk(lmcli: Lmcli, trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(operation: str, path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    before = digests(trained)
    monkeypatch.setattr(durable, "on_operation", full)
    ran = lmcli("train", "--steps", 2, *TINY)
    assert ran.code == 5
    assert "No space left on device" in ran.err
    assert "nothing that was finished is lost" in ran.err
    assert digests(trained) == before


def test_5_a_device_that_is_not_there(lmcli: Lmcli, trained: Path) -> None:
    assert lmcli("generate", "The", "--device", "cuda:77").code == 5


def test_5_stdout_can_not_be_written(trained: Path) -> None:
    with Path("/dev/full").open("w") as full:
        child = process(trained, "status", stdout=full)
        _, err = child.communicate(timeout=60)
    assert child.returncode == 5
    assert err.startswith("error: No space left on device")


def test_6_another_command_writes(lmcli: Lmcli, trained: Path) -> None:
    (trained / "lmcli.toml").write_text('[train]\nlength = "2 steps"\n')
    with busy.writing(trained):
        for line in (("train",), ("run",), ("gc",), ("clean",)):
            ran = lmcli(*line)
            assert ran.code == 6, line
            assert f"process {os.getpid()}" in ran.err
        for line in (
            ("status",),
            ("path", "model"),
            ("show", "model"),
            ("verify",),
            ("generate", "A", "--max-tokens", 1),
        ):
            assert lmcli(*line).code == 0, line


def test_7_training_diverged(lmcli: Lmcli, trained: Path) -> None:
    before = digests(trained)
    ran = lmcli("train", "--steps", 8, *TINY, "--set", "train.optimizer.lr=1e30", "--set", "train.clip=0")
    assert ran.code == 7, ran.err
    assert "training diverged at step" in ran.err
    assert digests(trained) == before
    assert lmcli("verify").code == 0


def test_8_a_gate(lmcli: Lmcli, trained: Path) -> None:
    assert lmcli("eval", "--assert", "bpb<0.001").code == 8


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_130_and_143_a_signal(trained: Path, number: signal.Signals, code: int) -> None:
    """While `generate` waits for a prompt; tests of resuming send them to training."""
    child = process(trained, "generate", "-", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert child.stdin is not None
    child.stdin.write("x" * 1_000_000)  # more than a pipe holds: done when the child has begun to read
    child.send_signal(number)
    out, err = child.communicate(timeout=60)
    assert child.returncode == code
    assert out == ""
    assert err.startswith(f"error: stopped by {number.name}")
    assert "Traceback" not in err


def test_141_the_reader_left(trained: Path) -> None:
    child = process(trained, "config", "show", stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.close()
    _, err = child.communicate(timeout=60)
    assert (child.returncode, err) == (141, "")
