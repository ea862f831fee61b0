from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.corpus import planted

SRUN = 'while [[ $1 == -* ]]; do [[ $1 == -n ]] && shift; shift; done\nexec "$@"'


@pytest.fixture
def cluster(tmp_path: Path) -> Path:
    """A folder for PATH with what stands in for Slurm; its jobs leave their options and their exit codes there."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    sbatch = Path(__file__).with_name("sbatch.py").read_text(encoding="utf-8")
    scripts = {"sbatch": f"#!{sys.executable}\n{sbatch}", "srun": f"#!/bin/bash\n{SRUN}\n"}
    for name, text in {**scripts, "scontrol": "#!/bin/bash\necho node-1\n"}.items():
        (folder / name).write_text(text, encoding="utf-8")
        (folder / name).chmod(0o755)
    return folder


def run(root: Path, cluster: Path, *line: object) -> tuple[int, str, str]:
    path = f"{cluster}:/usr/bin:/bin"  # neither lmcli nor this Python: the jobs must know where they are
    return planted.finish(planted.start(root, *planted.CLEAN, "--engine", "slurm", *line, PATH=path))


def codes(cluster: Path) -> list[str]:
    return [path.read_text() for path in sorted(cluster.glob("*.code"))]


def options(cluster: Path, job: int) -> dict[str, str]:
    lines = (cluster / f"{job}.job").read_text().splitlines()
    return {key: value for key, _, value in (line.partition("=") for line in lines)}


def test_the_corpus_is_that_of_one_process(root: Path, cluster: Path, expected: str) -> None:
    asked = ("--partition", "cpu", "--time", "1:00:00", "--sbatch", "account=physics", "--workers", 2)
    code, out, err = run(root, cluster, "--tasks", 3, *asked)
    assert (code, err) == (0, "")
    assert out.splitlines()[:3] == [
        "submitted shards: job 101",
        "submitted buckets: job 102",
        "submitted merge: job 103",
    ]
    assert "job 103 makes the corpus of 3 shards" in out
    assert codes(cluster) == ["0", "0", "0"], logs(root)
    assert planted.digest(root) == expected
    first, second, last = (options(cluster, job) for job in (101, 102, 103))
    assert first["array"] == second["array"] == "0-2%2"
    assert (first["partition"], first["time"], first["account"]) == ("cpu", "1:00:00", "physics")
    assert "dependency" not in first
    assert (second["dependency"], last["dependency"]) == ("afterok:101", "afterok:102")


def logs(root: Path) -> str:
    files = (*root.glob("runs/clean/*/logs/*/*/slurm_logs/*"), *root.glob("runs/clean/*.log"))
    return "\n".join(path.read_text() for path in files)


def test_what_was_not_asked_for_is_left_to_slurm(root: Path, cluster: Path) -> None:
    code, _, err = run(root, cluster, "--tasks", 1, "--duplicates", "keep")
    assert (code, err) == (0, "")
    assert not {"partition", "time", "qos"} & set(options(cluster, 101))
    assert codes(cluster) == ["0", "0"], logs(root)


def test_a_task_that_fails_stops_those_that_wait_for_it(root: Path, cluster: Path, expected: str) -> None:
    bad = root / "corpus" / "f.txt"
    bad.write_bytes(b"good\n\xff\xfe\xfa bad \x81\n" * 300)
    code, _, _ = run(root, cluster, "--tasks", 3, "--encoding", "utf-8")
    assert code == 0
    assert codes(cluster) == ["1", "1", "1"]
    assert not planted.is_made(root)
    assert "corpus/f.txt" in logs(root)
    line = (*planted.CLEAN, "--encoding", "utf-8", "--merge")
    code, _, err = planted.finish(planted.start(root, *line))
    assert code == 4
    assert "of 3 shards are missing" in err


def test_without_slurm(root: Path, tmp_path: Path) -> None:
    code, out, err = run(root, tmp_path, "--tasks", 2)
    assert (code, out) == (5, "")
    assert err.startswith("error: there is no sbatch - ")


def test_sbatch_refuses(root: Path, cluster: Path) -> None:
    (cluster / "sbatch").write_text("#!/bin/bash\necho 'sbatch: error: invalid partition' >&2\nexit 1\n")
    code, out, err = run(root, cluster, "--tasks", 2)
    assert (code, out) == (5, "")
    assert "sbatch: error: invalid partition" in err
    assert "error: sbatch ended with code 1" in err
