"""Training in two processes with a thread each beside one process with two threads: what sharing a step costs.

    python benchmarks/scaling.py shakespeare.txt
    python benchmarks/scaling.py shakespeare.txt --strategy fsdp --width 384 --depth 6

Both train the same steps of the same batches with `lmcli train`, in turns; what counts is the median speed of the steps
after the first ones, as metrics.jsonl has it, so that neither start-up nor validation plays a part.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
from pathlib import Path

from measuring import measured

WARM_UP = 5
"""Steps that don't count."""
WAYS = {"1 x 2 threads": ("--threads", "2"), "2 x 1 thread": ("--nproc", "2", "--threads", "2")}


def lmcli(project: Path, *line: str) -> None:
    measured([sys.executable, "-m", "lmcli", *line, "--quiet"], project)


def speed(project: Path) -> float:
    """Tokens a second in the steps of the run that has just ended."""
    rows = [json.loads(line) for line in (project / "runs" / "model" / "metrics.jsonl").read_text().splitlines()]
    return statistics.median(row["tokens_per_second"] for row in rows if row["step"] > WARM_UP)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("text", type=Path, help="a file or folder of text")
    parser.add_argument("--runs", type=int, default=3, help="of each, taking turns")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--depth", type=int, default=6)
    parser.add_argument("--context", type=int, default=256)
    parser.add_argument("--batch-tokens", type=int, default=4096)
    parser.add_argument("--strategy", choices=("ddp", "fsdp"), default="ddp")
    options = parser.parse_args()
    os.environ.pop("OMP_NUM_THREADS", None)
    if len(os.sched_getaffinity(0)) < 2:
        raise SystemExit("two cores are needed to compare anything")
    line = ["--steps", str(options.steps), "--width", str(options.width), "--depth", str(options.depth)]
    line += ["--context", str(options.context), "--batch-tokens", str(options.batch_tokens)]
    line += ["--eval-every", str(options.steps), "--strategy", options.strategy, "--force"]
    speeds: dict[str, list[float]] = {name: [] for name in WAYS}
    with tempfile.TemporaryDirectory() as folder:
        lmcli(Path(folder), "init")
        lmcli(Path(folder), "tokenize", str(options.text.resolve()))
        for name in list(WAYS) * options.runs:
            lmcli(Path(folder), "train", *line, *WAYS[name])
            speeds[name].append(speed(Path(folder)))
    for name, found in speeds.items():
        print(f"{name:14} {statistics.median(found):8,.0f} tokens/s  ({min(found):,.0f} to {max(found):,.0f})")
    one, two = (statistics.median(found) for found in speeds.values())
    print(f"{options.strategy}: two processes train at {two / one:.2f} of the speed of one with two threads")


if __name__ == "__main__":
    main()
