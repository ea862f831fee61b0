"""`lmcli --help` answers at once: what it imports, and how long it takes."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

from lmcli.cli.app import COMMANDS

HEAVY = {"torch", "numpy", "datasets", "tokenizers", "pydantic", "rich", "pandas", "pyarrow", "transformers"}
BY_TYPER = {"pydantic"}  # typer itself parses options with it
RUNS = 7


def loaded_by(*lines: list[str]) -> set[str]:
    """Top-level modules that command lines, run one after another, have imported in the end."""
    code = (
        "import sys\nfrom lmcli.cli.boundary import run\n"
        f"for line in {list(lines)!r}:\n    run(line)\nprint('\\n'.join(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {line.split(".")[0] for line in done.stderr.splitlines()}


def test_help_loads_nothing_heavy() -> None:
    assert not HEAVY & loaded_by(["--help"], ["--version"])


def test_help_of_the_commands_loads_nothing_heavy() -> None:
    assert not (HEAVY - BY_TYPER) & loaded_by(*([name, "--help"] for name in COMMANDS))


def seconds(*command: str) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *command], capture_output=True, check=True)
    return time.perf_counter() - started


def test_help_takes_little_more_than_importing_typer() -> None:
    pairs = [(seconds("-m", "lmcli", "--help"), seconds("-c", "import typer")) for _ in range(RUNS)]
    ratio = statistics.median(ours for ours, _ in pairs) / statistics.median(bare for _, bare in pairs)
    assert ratio <= 1.6
