"""What the benchmarks share: a command run and measured, and what to say when a peer is missing."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO


@dataclass(frozen=True)
class Measured:
    """Seconds on the clock, seconds of all processors in it and its children, and MiB of its largest process."""

    seconds: float
    cpu: float
    memory: float


def measured(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] | None = None,
    stdout: IO[str] | None = None,
) -> Measured:
    """Run a command in a folder. What it prints is thrown away, or written into `stdout`."""
    start = time.perf_counter()
    with subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **(environment or {})},
        stdout=stdout or subprocess.DEVNULL,
    ) as process:
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - start
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Measured(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def require(*modules: str) -> None:
    """End with a clear message where a peer isn't installed."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise SystemExit(f"this benchmark needs {', '.join(missing)}: pip install {' '.join(missing)}")
