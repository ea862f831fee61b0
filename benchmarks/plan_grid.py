"""How good the planner's choice of a shape is: beside the 3 x 3 grid of widths and depths around it, in equal time.

    python benchmarks/plan_grid.py tinyshakespeare.txt:char train.en:bpe --budget 2m --seeds 0
    python benchmarks/plan_grid.py tinyshakespeare.txt:char --budget 10m --neighbours

Each corpus is FILE:KIND, with the kind of its tokenizer. All runs are `lmcli train --budget`; those of the grid set
width and depth and leave the rest to the planner. Prints bits per byte of the held-out text, the median over the seeds,
and how far the planner's choice is from the best.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from lmcli.training.ladder import LADDER

WIDTHS = sorted({rung.width for rung in LADDER})
Cell = tuple[int, int]  # width, depth


def lmcli(project: Path, *line: object) -> str:
    command = [sys.executable, "-m", "lmcli", *map(str, line)]
    return subprocess.run(command, cwd=project, check=True, stdout=subprocess.PIPE, text=True).stdout


def trained(project: Path, budget: str, seed: int, cell: Cell | None) -> tuple[Cell, float]:
    """The shape of a run and its best bits per byte."""
    shape = ("--width", cell[0], "--depth", cell[1]) if cell else ()
    line = ("train", "--budget", budget, "--seed", seed, *shape, "--json", "--quiet", "--force")
    made: dict[str, Any] = json.loads(lmcli(project, *line))["artifacts"][0]
    model = made["plan"]["model"]
    return (model["width"], model["depth"]), made["report"]["best"]["val_bpb"]


def around(cell: Cell, neighbours: bool) -> list[Cell]:
    """The grid, or with `neighbours` only those that differ in one of both."""
    width, depth = cell
    place = WIDTHS.index(width)
    widths = WIDTHS[max(0, place - 1) : place + 2]
    step = max(1, depth // 4)  # one block for shallow models, a quarter for deep ones
    depths = sorted({max(1, depth - step), depth, depth + step})
    cells = [other for other in itertools.product(widths, depths) if other != cell]
    return [other for other in cells if not neighbours or width == other[0] or depth == other[1]]


def compare(project: Path, options: argparse.Namespace) -> None:
    found: dict[Cell, list[float]] = {}
    chosen: list[Cell] = []
    for seed in options.seeds:
        cell, bits = trained(project, options.budget, seed, None)
        chosen.append(cell)
        found.setdefault(cell, []).append(bits)
        print(f"  seed {seed}  planner {cell[1]} x {cell[0]}: {bits:.4f}", flush=True)
        for other in around(chosen[0], options.neighbours):
            found.setdefault(other, []).append(trained(project, options.budget, seed, other)[1])
            print(f"  seed {seed}          {other[1]} x {other[0]}: {found[other][-1]:.4f}", flush=True)
    medians = {cell: statistics.median(bits) for cell, bits in found.items()}
    best = min(medians, key=lambda cell: medians[cell])
    behind = medians[chosen[0]] / medians[best] - 1
    names = [f"{cell[1]} x {cell[0]} {medians[cell]:.4f}" for cell in (chosen[0], best)]
    print(f"planner {names[0]} bits per byte; best {names[1]}")
    print(f"the planner's choice is {behind:.2%} behind the best of {len(medians)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpora", nargs="+", help="FILE:KIND")
    parser.add_argument("--budget", default="2m")
    parser.add_argument("--seeds", type=lambda value: [int(seed) for seed in value.split(",")], default=[0])
    parser.add_argument("--neighbours", action="store_true", help="only shapes that differ in width or in depth")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for number, corpus in enumerate(options.corpora):
            name, _, kind = corpus.rpartition(":")
            project = Path(folder) / str(number)
            project.mkdir()
            lmcli(project, "init", "--quiet")
            lmcli(project, "tokenize", Path(name).resolve(), "--kind", kind, "--quiet")
            print(f"{corpus}, {options.budget}", flush=True)
            compare(project, options)


if __name__ == "__main__":
    main()
