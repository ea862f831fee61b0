"""Who runs the tasks of a corpus that is cut into shards: datatrove's executors.

An engine is a file in this folder and a line in the registry: `run(job, options, progress)` makes all shards of the
job and finds its pairs. It returns the ids of what it submitted, by what they do, where that goes on elsewhere after
it has returned; otherwise nothing, and the shards can be merged. Every machine that takes part sees the project under
the same path and has the same lmcli installed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from lmcli.errors import MachineError
from lmcli.progress import Progress
from lmcli.registry import Registry

if TYPE_CHECKING:
    from lmcli.corpus.shards import Job

ENGINES = Registry(
    "engine",
    {
        "local": "lmcli.corpus.engines.local:run",
        "slurm": "lmcli.corpus.engines.slurm:run",
        "ray": "lmcli.corpus.engines.ray:run",
    },
)

EXTRAS = {"ray": "ray"}  # of the others: cluster


@dataclass(frozen=True)
class Options:
    """`workers` tasks run at a time, 0 = as many as the engine has room for.

    partition, time and sbatch (option of sbatch -> value) are for Slurm, which merges by the command line `finish`;
    address is that of a Ray cluster.
    """

    workers: int = 0
    partition: str | None = None
    time: str | None = None
    sbatch: Mapping[str, str] = field(default_factory=dict)
    finish: tuple[str, ...] = ()
    address: str | None = None
    verbose: bool = False


Engine = Callable[["Job", Options, Progress], Mapping[str, str]]


def load(name: str) -> Engine:
    """The engine of that name. Raises MachineError where its packages are not installed."""
    os.environ.setdefault("DATATROVE_COLORIZE_LOGS", "0")
    try:
        engine: Engine = ENGINES.load(name)
    except ModuleNotFoundError as error:
        raise missing(error, EXTRAS.get(name, "cluster")) from None
    return engine


def missing(error: ModuleNotFoundError, extra: str) -> MachineError:
    """What to say about an import that failed: which extra has the package."""
    package = str(error.name).partition(".")[0]
    return MachineError(f"the package {package} is not installed", f'pip install "lmcli[{extra}]"')
