"""lmcli clean."""

from __future__ import annotations

from typing import Annotated

import typer

from lmcli.cli.arguments import Engine, Inputs, Partition, RayAddress, Sbatch, Tasks, TimeLimit, Workers
from lmcli.cli.options import command
from lmcli.cli.session import Session, Shown
from lmcli.corpus.config import CleanConfig


@command(writes=True, clean=CleanConfig)
def clean(
    session: Session,
    inputs: Inputs = None,
    workers: Workers = 0,
    shard: Annotated[
        str | None,
        typer.Option(
            metavar="I/N", help="Clean part I (from 0) of N only; /N and auto ask the array job's environment."
        ),
    ] = None,
    merge: Annotated[bool, typer.Option("--merge", help="Join the shards, which must all be there.")] = False,
    engine: Engine = None,
    tasks: Tasks = None,
    partition: Partition = None,
    time: TimeLimit = None,
    sbatch: Sbatch = None,
    ray_address: RayAddress = None,
) -> Shown:
    """Repair, filter and deduplicate text; every drop and every change is counted with its reason.

    \b
    lmcli clean                             the inputs that lmcli.toml names
    lmcli clean books/ 'web/*.gz'           other inputs
    lmcli clean --preset web --dry-run      what would be dropped and why, on a sample
    lmcli clean --shard 2/7                 one task of seven; then, once: lmcli clean --merge
    lmcli clean --engine slurm --tasks 100  a hundred tasks, and a job that merges them
    """
    from lmcli.cli import cleaning, engines

    given = session.given(project__inputs=session.inputs(inputs))
    wanted = engines.Wanted(engine, tasks, partition, time, sbatch or (), ray_address)
    wanted.check(shard=shard is not None, merge=merge)
    if engine:
        return engines.run(session, given, wanted, workers)
    if shard:
        return cleaning.write_shard(session, given, shard, workers)
    return cleaning.whole(session, given, workers, merge=merge)
