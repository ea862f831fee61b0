"""Arguments and options that several commands share."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

Inputs: TypeAlias = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[INPUT...]", help="Files, folders, globs, - (stdin), pydoc: or hf:NAME instead of [project] inputs."
    ),
]
Workers: TypeAlias = Annotated[int, typer.Option("--workers", help="Processes or threads; 0 = one for each core.")]
Budget: TypeAlias = Annotated[
    str | None, typer.Option("--budget", metavar="TIME", help="Train for this long: 90s, 10m, 1h.")
]
Steps: TypeAlias = Annotated[int | None, typer.Option("--steps", min=0, help="Train for this many steps.")]
Epochs: TypeAlias = Annotated[
    int | None, typer.Option("--epochs", min=1, help="Train for this many passes over the data.")
]
Nproc: TypeAlias = Annotated[
    int, typer.Option("--nproc", min=1, metavar="N", help="Train with N processes on this machine, under torchrun.")
]
MaxRestarts: TypeAlias = Annotated[
    int, typer.Option("--max-restarts", min=0, metavar="K", help="With --nproc: start anew K times when one dies.")
]
DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; write nothing.")]

Engine: TypeAlias = Annotated[
    str | None,
    typer.Option("--engine", metavar="local|slurm|ray", help="Let datatrove run the shards: extras cluster, ray."),
]
Tasks: TypeAlias = Annotated[int | None, typer.Option("--tasks", min=1, help="Shards that the engine makes.")]
Partition: TypeAlias = Annotated[str | None, typer.Option("--partition", help="Slurm: where the jobs run.")]
TimeLimit: TypeAlias = Annotated[
    str | None, typer.Option("--time", metavar="TIME", help="Slurm: limit of each job, as in 4:00:00.")
]
Sbatch: TypeAlias = Annotated[
    list[str] | None, typer.Option("--sbatch", metavar="OPTION=VALUE", help="Slurm: any other option of sbatch.")
]
RayAddress: TypeAlias = Annotated[
    str | None, typer.Option("--ray-address", metavar="ADDRESS", help="Ray: the cluster; without it this machine.")
]
