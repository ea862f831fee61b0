"""Measures the peak memory of training steps of many shapes and fits the factors of `lmcli/training/memory.py` to it.

    python benchmarks/memory_fit.py --out measured.jsonl
    python benchmarks/memory_fit.py --fit measured.jsonl     without measuring again

Each shape runs a few steps in a process of its own (`tests/training/measured_memory.py`). The factors are those with
the smallest squares of the logarithm of estimate / measured, found one at a time in turns. Prints the table to paste,
and each shape with its estimate.
"""

from __future__ import annotations

import argparse
import dataclasses
import itertools
import json
import math
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lmcli.training import memory

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
from tests.training.measured_memory import estimate  # noqa: E402 - the path comes first

PLAIN = {"width": 128, "depth": 4, "context": 128, "rows": 16, "micro_rows": 16, "vocabulary": 65, "steps": 3}
SHAPES: tuple[dict[str, Any], ...] = (
    {"width": 64, "depth": 1, "rows": 1, "micro_rows": 1},
    {"rows": 64, "micro_rows": 64},
    {"rows": 64, "micro_rows": 64, "ffn": 1024},
    {"width": 256, "rows": 32, "micro_rows": 32},
    {"width": 256, "rows": 8, "micro_rows": 8, "context": 512},
    {"width": 384, "depth": 6, "context": 256},
    {"width": 384, "depth": 6, "context": 256, "rows": 1, "micro_rows": 1},
    {"width": 384, "depth": 6, "context": 256, "micro_rows": 4},
    {"width": 256, "depth": 2, "vocabulary": 20000},
    {"width": 256, "depth": 2, "vocabulary": 20000, "rows": 1, "micro_rows": 1},
    {"width": 256, "depth": 2, "vocabulary": 4096, "rows": 64, "micro_rows": 64},
    {"width": 512, "depth": 8, "rows": 2, "micro_rows": 2},
)
FITTED = ("width", "ffn", "logit", "head")
STEPS = (1.3, 1.1, 1.03, 1.01)


def cases(optimizers: list[str]) -> Iterator[dict[str, Any]]:
    for shape, dtype, optimizer in itertools.product(SHAPES, memory.FACTORS, optimizers):
        yield {**PLAIN, **shape, "dtype": dtype, "optimizer": optimizer}


def measure(out: Path, optimizers: list[str]) -> list[dict[str, Any]]:
    found = []
    with out.open("w") as file:
        for case in cases(optimizers):
            line = [sys.executable, "-m", "tests.training.measured_memory", json.dumps(case)]
            printed = subprocess.run(line, cwd=ROOT, check=True, capture_output=True, text=True).stdout
            found.append({**case, "peak": json.loads(printed)["peak"]})
            file.write(json.dumps(found[-1]) + "\n")
            file.flush()
    return found


def squares(measured: list[dict[str, Any]]) -> float:
    return sum(math.log(estimate(case).step / case["peak"]) ** 2 for case in measured)


def fit(measured: list[dict[str, Any]]) -> None:
    """Change the tables of `memory` until no change of a single number makes the squares smaller."""
    for ratio in STEPS:
        for _ in range(60):
            before = squares(measured)
            memory.BASE = better(measured, memory.BASE, ratio, lambda value: setattr(memory, "BASE", value))
            for dtype, name in itertools.product(memory.FACTORS, FITTED):
                fit_factor(measured, dtype, name, ratio)
            for name in memory.OPTIMIZERS:
                fit_update(measured, name, ratio)
            if squares(measured) > 0.9999 * before:
                break


def fit_factor(measured: list[dict[str, Any]], dtype: str, name: str, ratio: float) -> None:
    def put(value: float) -> None:
        memory.FACTORS[dtype] = dataclasses.replace(memory.FACTORS[dtype], **{name: value})

    better(measured, getattr(memory.FACTORS[dtype], name), ratio, put)


def fit_update(measured: list[dict[str, Any]], name: str, ratio: float) -> None:
    def put(value: float) -> None:
        memory.OPTIMIZERS[name] = dataclasses.replace(memory.OPTIMIZERS[name], update=value)

    better(measured, memory.OPTIMIZERS[name].update, ratio, put)


def better(measured: list[dict[str, Any]], value: float, ratio: float, put: Any) -> float:
    """`value`, or `value` a little larger or smaller, whichever fits best; 0 may become more than 0."""
    tried = {}
    for candidate in (value, value * ratio, value / ratio, value + ratio - 1, max(0.0, value - ratio + 1)):
        put(candidate)
        tried[candidate] = squares(measured)
    best = min(tried, key=lambda candidate: tried[candidate])
    put(best)
    return best


def report(measured: list[dict[str, Any]]) -> None:
    for case in measured:
        ratio = estimate(case).step / case["peak"]
        shape = "{dtype:8} {optimizer:5} {depth} x {width}, {rows} x {context} / {micro_rows}, {vocabulary}".format(
            **case
        )
        print(f"{shape:55} {case['peak'] / 1e6:6.0f} MB, estimated {ratio:.2f} times")
    ratios = [estimate(case).step / case["peak"] for case in measured]
    print(f"estimates are {min(ratios):.2f} to {max(ratios):.2f} times what was measured")
    for dtype, factors in memory.FACTORS.items():
        numbers = ", ".join(f"{name}={value:.3g}" for name, value in dataclasses.asdict(factors).items())
        print(f'"{dtype}": Factors({numbers}),')
    for name, rule in memory.OPTIMIZERS.items():  # of one that was not measured: as it was
        print(f'"{name}": OptimizerFactors({rule.matrix:g}, {rule.other:g}, {rule.update:.3g})')
    print(f"BASE = {memory.BASE / 1e6:.0f}e6")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("measured.jsonl"), help="where to keep what was measured")
    parser.add_argument("--fit", type=Path, help="what an earlier run measured")
    parser.add_argument("--optimizers", nargs="+", default=list(memory.OPTIMIZERS), help="which to measure")
    options = parser.parse_args()
    if options.fit:
        measured = [json.loads(line) for line in options.fit.read_text().splitlines()]
    else:
        measured = measure(options.out, options.optimizers)
    fit(measured)
    report(measured)


if __name__ == "__main__":
    main()
