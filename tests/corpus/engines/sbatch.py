"""A stand-in for sbatch: it runs what it is given at once, task after task, and honours dependencies."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

HOME = Path(__file__).parent
ARGUMENTS, SCRIPT = sys.argv[1:-1], Path(sys.argv[-1])


def main() -> None:
    options = dict(_options())
    job = str(101 + len(list(HOME.glob("*.job"))))
    record = HOME / f"{job}.job"
    record.write_text("\n".join(f"{key}={value}" for key, value in options.items()))
    sys.stdout.write(f"Submitted batch job {job}\n")
    if any(
        (HOME / f"{before}.code").read_text() != "0" for before in re.findall(r"\d+", options.get("dependency", ""))
    ):
        (HOME / f"{job}.code").write_text("1")
        return
    tasks = _tasks(options["array"])
    codes = [_run(job, task, tasks, options) for task in tasks]
    (HOME / f"{job}.code").write_text(str(max(codes)))


def _options():
    for line in SCRIPT.read_text().splitlines():
        if line.startswith("#SBATCH "):
            (option,) = shlex.split(line.removeprefix("#SBATCH "))
            yield option.removeprefix("--").partition("=")[::2]
    for argument in ARGUMENTS:
        yield argument.removeprefix("--").partition("=")[::2]


def _tasks(array: str) -> list[int]:
    first, last = array.partition("%")[0].split("-")
    return list(range(int(first), int(last) + 1))


def _run(job: str, task: int, tasks: list[int], options: dict[str, str]) -> int:
    about = {
        "SLURM_ARRAY_TASK_ID": task,
        "SLURM_ARRAY_TASK_COUNT": len(tasks),
        "SLURM_ARRAY_TASK_MIN": tasks[0],
        "SLURM_ARRAY_TASK_MAX": tasks[-1],
        "SLURM_ARRAY_JOB_ID": job,
        "SLURM_JOB_ID": int(job) * 1000 + task,
        "SLURM_NODELIST": "node-1",
    }
    exported = dict(item.split("=") for item in options.get("export", "ALL").split(",")[1:])
    environment = {**os.environ, **exported, **{key: str(value) for key, value in about.items()}}
    output = options["output"].replace("%A", job).replace("%a", str(task))
    with Path(output).open("a") as log:
        done = subprocess.run(["bash", str(SCRIPT)], check=False, env=environment, stdout=log, stderr=log, cwd="/")
    return done.returncode


main()
