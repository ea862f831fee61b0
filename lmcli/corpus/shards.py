"""The shard contract: a corpus cleaned in parts, by any number of processes on any number of machines.

Shard i of n reads a run of the sources, about 1/n of the bytes, and writes a folder of its own below a shared one. The
folder gets its name when it is complete, so the name is the completion marker: a task that starts again finds it and
has nothing to do. Whoever has all n folders can merge them; the corpus is the same for every n.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lmcli.corpus.chain import Chain
from lmcli.corpus.clusters import Edges, bucket_edges
from lmcli.corpus.config import CleanConfig
from lmcli.corpus.mapping import Mapped, map_sources
from lmcli.corpus.sources import Source
from lmcli.errors import ArtifactError, UsageError
from lmcli.progress import Progress
from lmcli.project import busy, durable

_UNSIZED = 1 << 20  # bytes that a source without a file counts for

_INDEX = ("SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX")  # Slurm job arrays, Kubernetes indexed jobs
_COUNT = "SLURM_ARRAY_TASK_COUNT"
_LOWEST = "SLURM_ARRAY_TASK_MIN"
_STEP = "SLURM_ARRAY_TASK_STEP"  # of --array=0-12:2


@dataclass(frozen=True)
class Shard:
    """Part `index` (from 0) of `count`."""

    index: int
    count: int

    def __str__(self) -> str:
        return f"{self.index}/{self.count}"


def parse_shard(text: str, environment: Mapping[str, str]) -> Shard:
    """ "2/7"; "/7" takes the index from the array job's environment, "auto" the count as well. Raises UsageError."""
    hint = "write --shard 2/7 (counted from 0), --shard /7 or --shard auto inside an array job"
    if text != "auto" and not re.fullmatch(r"\d*/\d+", text):
        raise UsageError(f"--shard {text!r} is no part of a whole", hint)
    index, _, count = ("", "", environment.get(_COUNT, "")) if text == "auto" else text.partition("/")
    index = index or _index(environment)
    if not index or not count.isdecimal():
        wanted = f"{' or '.join(_INDEX)}{f' and {_COUNT}' if text == 'auto' else ''}"
        raise UsageError(f"--shard {text}: the environment has no {wanted}", hint)
    if int(index) < 0:
        raise UsageError(f"--shard {text}: ${_INDEX[0]} is before the first, ${_LOWEST}", hint)
    if int(count) < 1:
        raise UsageError(f"--shard {index}/{count}: there is at least one shard", hint)
    if int(index) >= int(count):
        raise UsageError(f"--shard {index}/{count}: shards are counted from 0 to {int(count) - 1}", hint)
    return Shard(int(index), int(count))


def _index(environment: Mapping[str, str]) -> str:
    """The place of this task in its array, from 0; "" where there is none."""

    def number(name: str, default: int) -> int:
        text = environment.get(name, "")
        return int(text) if text.isdecimal() else default

    found = next((name for name in _INDEX if environment.get(name, "").isdecimal()), None)
    if found is None:
        return ""
    if found != _INDEX[0]:
        return environment[found]
    return str((number(found, 0) - number(_LOWEST, 0)) // max(1, number(_STEP, 1)))


def share(sources: Sequence[Source], shard: Shard) -> list[Source]:
    """The sources of a shard: those whose middle lies in its part of the bytes."""
    sizes = [source.path.stat().st_size if source.path else _UNSIZED for source in sources]
    total, before = sum(sizes), 0
    mine: list[Source] = []
    for source, size in zip(sources, sizes, strict=True):
        place = (2 * before + size) * shard.count // (2 * total) if total else 0
        if min(place, shard.count - 1) == shard.index:
            mine.append(source)
        before += size
    return mine


@dataclass(frozen=True)
class Job:
    """One corpus in `count` shards below `folder`. A value that can be sent to other machines that share the disk."""

    sources: tuple[Source, ...]
    config: CleanConfig
    chain: Chain
    folder: Path
    count: int

    def map(self, index: int, workers: int, progress: Progress) -> bool:
        """Make a shard; False when it is there already."""
        target = self._place(index)
        if target.is_dir():
            return False
        durable.mkdir(self.folder)
        out = durable.temporary_name(target)
        mine = share(self.sources, Shard(index, self.count))
        with busy.using(self.folder):
            try:
                map_sources(mine, self.config, self.chain, out, workers=workers, progress=progress)
                self._publish(out, target)
            finally:
                durable.remove_tree(out)
        return True

    def _publish(self, out: Path, target: Path) -> None:
        """Another task may have finished the same shard meanwhile, with the same bytes."""
        try:
            durable.replace(out, target)
        except OSError:
            if not target.is_dir():
                raise

    def missing(self) -> list[int]:
        return [index for index in range(self.count) if not self._place(index).is_dir()]

    def shards(self) -> list[Mapped]:
        """All shards in order. Raises ArtifactError that names the missing ones."""
        if missing := self.missing():
            shown = ", ".join(str(Shard(index, self.count)) for index in missing[:10])
            hint = f"make each with: lmcli clean --shard {missing[0]}/{self.count}"
            raise ArtifactError(f"{len(missing)} of {self.count} shards are missing: {shown}", hint)
        return [Mapped(self._place(index), self.chain) for index in range(self.count)]

    @property
    def buckets(self) -> int:
        return self.chain.near.buckets if self.chain.near else 0

    def match(self, bucket: int) -> None:
        """Find the pairs of one bucket and keep them beside the shards."""
        target = self._pairs(bucket)
        if not target.exists():
            keys = [shard.keys for shard in self.shards()]
            signed = np.concatenate([part["signed"] for part in keys])
            pairs = bucket_edges(np.concatenate([part["near"][:, bucket] for part in keys]), signed)
            durable.write(target, pairs.astype("<u8").tobytes())

    def unmatched(self) -> list[int]:
        """The buckets whose pairs were not looked for yet."""
        return [bucket for bucket in range(self.buckets) if not self._pairs(bucket).exists()]

    def edges(self) -> list[Edges] | None:
        """The pairs of every bucket, or None unless all were found by `match`."""
        if self.unmatched():
            return None
        paths = [self._pairs(bucket) for bucket in range(self.buckets)]
        return [np.frombuffer(path.read_bytes(), dtype="<u8").reshape(-1, 2) for path in paths]

    def _place(self, index: int) -> Path:
        return self.folder / f"shard-{index:05d}-of-{self.count:05d}"

    def _pairs(self, bucket: int) -> Path:
        return self.folder / f"pairs-{bucket:03d}-of-{self.count:05d}.bin"


def count_in(folder: Path) -> int | None:
    """Into how many shards the corpus below `folder` was cut; the largest complete set wins. None without any."""
    found: dict[int, int] = {}
    for path in folder.glob("shard-*-of-*") if folder.is_dir() else ():
        count = int(path.name.rpartition("-")[2])
        found[count] = found.get(count, 0) + 1
    return max(found, key=lambda count: (found[count] == count, found[count])) if found else None
