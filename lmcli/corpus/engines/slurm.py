"""Tasks as job arrays of Slurm. The command submits them and ends; a last job merges the shards."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from datatrove.executor.slurm import SlurmPipelineExecutor, launch_slurm_job

from lmcli.corpus.engines import Options
from lmcli.corpus.engines.phases import Phase, listen, phases, silence
from lmcli.corpus.engines.steps import Quiet
from lmcli.corpus.shards import Job
from lmcli.errors import MachineError
from lmcli.progress import Progress

_MEMORY = 4  # GB for each processor, unless --sbatch mem-per-cpu=... says otherwise

_HINT = "what it said is above; nothing is lost: run the command again"


def job_id(output: str) -> str:
    """The number in "Submitted batch job 12", "Submitted batch job 12 on cluster east" or "12;east"."""
    found = re.search(r"\d+", output)
    if found is None:
        raise MachineError(f"sbatch printed no job id: {output.strip()!r}", "is this the sbatch of Slurm?")
    return found[0]


class Slurm(Quiet, SlurmPipelineExecutor):
    """datatrove's executor with this Python, options that may be left to Slurm, and paths with any character.

    `finish` is a command line that a job of its own runs after all tasks have succeeded.
    """

    verbose = True  # what a task says is in Slurm's file for it
    finish: tuple[str, ...] = ()
    finish_log = ""
    finish_id = ""

    def get_sbatch_args(self, max_array: int = 1) -> dict[str, Any]:
        given = super().get_sbatch_args(max_array)
        return {key: shlex.quote(str(value)) if value else "" for key, value in given.items() if value is not None}

    def get_launch_file_contents(self, sbatch_args: dict[str, Any], run_script: str) -> str:
        """Ours is the command only for the tasks; see `launch_merge_stats` for the other job."""
        if run_script.startswith("srun"):
            pickled = str(self.logging_dir.resolve_paths("executor.pik"))
            command = (sys.executable, "-m", "datatrove.tools.launch_pickled_pipeline", pickled)
            run_script = f"srun -l -n {self.nodes_per_task} {shlex.join(command)}"
        found: str = super().get_launch_file_contents(sbatch_args, run_script)
        return found

    def launch_merge_stats(self) -> None:
        """Instead of a job that adds up datatrove's statistics: the one that makes the corpus, or none."""
        if self.finish:
            settings = {
                **self.get_sbatch_args(),
                "output": shlex.quote(self.finish_log),
                "error": shlex.quote(self.finish_log),
                "dependency": f"afterok:{self.job_id}",
            }
            script = self.get_launch_file_contents(settings, shlex.join(self.finish))
            self.finish_id = launch_slurm_job(script, self.job_id_retriever)


def run(job: Job, options: Options, progress: Progress) -> Mapping[str, str]:
    """Submit the jobs, each after the one before; their ids by what they do. Nothing when all is there already."""
    silence()
    last: Slurm | None = None
    submitted: dict[str, str] = {}
    todo = phases(job)
    listen(progress, options.verbose)
    for phase in todo:
        last = _executor(phase, options, last)
        if phase is todo[-1]:
            last.finish, last.finish_log = options.finish, f"{job.folder}-merge.log"
        _submit(last)
        submitted[phase.unit] = str(last.job_id)
    silence()
    if last and last.finish_id:
        submitted["merge"] = last.finish_id
    return submitted


def _executor(phase: Phase, options: Options, after: Slurm | None) -> Slurm:
    left_to_slurm: dict[str, Any] = {"time": options.time, "partition": options.partition, "qos": None}
    return Slurm(
        [phase.step],
        tasks=phase.tasks,
        workers=options.workers or -1,
        mem_per_cpu_gb=_MEMORY,
        job_name=f"lmcli-{phase.unit}",
        sbatch_args={"kill-on-invalid-dep": "yes", **options.sbatch},
        job_id_retriever=job_id,
        depends=after,
        logging_dir=str(phase.logs),
        skip_completed=False,
        **left_to_slurm,
    )


def _submit(executor: Slurm) -> None:
    try:
        executor.launch_job()  # type: ignore[no-untyped-call]  # `run` would take the job that this command runs in, if any, for one of its own
    except FileNotFoundError as error:
        if error.filename != "sbatch":
            raise
        raise MachineError("there is no sbatch", "run this where jobs of Slurm can be submitted") from None
    except subprocess.CalledProcessError as error:
        raise MachineError(f"sbatch ended with code {error.returncode}", _HINT) from None
