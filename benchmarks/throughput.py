"""Training-step throughput at fixed shapes: lmcli, nanoGPT and transformers.Trainer, beside the machine's own rate.

    pip install transformers accelerate
    python benchmarks/throughput.py --nanogpt nanoGPT --shape 10m --repeat 3
    python benchmarks/throughput.py --nanogpt nanoGPT --shape 124m --repeat 3 --compile

All sides have the same depth, width, batch, context, vocabulary and number of weights in matrix products, with tied
embeddings and AdamW (lmcli once more with its default, Muon). Each run is a process of its own; they take turns, and so
do two processes that measure nothing but the step's matrix products. Floating point operations of a token are
6 x weights in matrix products + 12 x layers x width x context.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from measuring import require

from lmcli.training.ladder import ffn_for

PEERS = Path(__file__).parent / "peers"
STEP, PRODUCTS = PEERS / "training_step.py", PEERS / "matrix_products.py"
DTYPES = ("bfloat16", "float32")


@dataclass(frozen=True)
class Shape:
    depth: int
    width: int
    context: int
    rows: int
    vocabulary: int

    @property
    def tokens(self) -> int:
        return self.rows * self.context

    @property
    def weights(self) -> int:
        """In matrix products; a feed-forward layer of 8/3 widths with a gate has as many as one of 4 widths."""
        return sum(inputs * outputs * count for inputs, outputs, count in self.products())

    def products(self) -> list[tuple[int, int, int]]:
        """(inputs, outputs, how often) of the matrices as lmcli holds them: qkv, output, gate and up, down, head."""
        width, inner = self.width, ffn_for(self.width)
        layer = ((width, 3 * width), (width, width), (width, 2 * inner), (inner, width))
        return [*((*matrix, self.depth) for matrix in layer), (width, self.vocabulary, 1)]

    @property
    def flops(self) -> int:
        """Of one token, forward and backward."""
        return 6 * self.weights + 12 * self.depth * self.width * self.context


SHAPES = {
    "10m": Shape(depth=6, width=384, context=256, rows=16, vocabulary=65),
    "124m": Shape(depth=12, width=768, context=512, rows=8, vocabulary=50304),
    "tiny": Shape(depth=2, width=192, context=32, rows=4, vocabulary=65),
}


def in_process(script: Path, arguments: list[str], nanogpt: Path | None = None) -> dict[str, Any]:
    """What a script prints, as JSON; nanoGPT's folder is where it finds it."""
    paths = [*([str(nanogpt)] if nanogpt else []), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONWARNINGS": "ignore"}
    line = [sys.executable, str(script), *arguments]
    printed = subprocess.run(line, env=environment, check=True, stdout=subprocess.PIPE, text=True).stdout
    return dict(json.loads(printed.splitlines()[-1]))


def step_run(side: str, shape: Shape, steps: int, warmup: int, threads: int, nanogpt: Path | None) -> dict[str, Any]:
    """One process of `training_step.py`."""
    settings = {**shape.__dict__, "steps": steps, "warmup": warmup, "threads": threads}
    return in_process(STEP, [side, json.dumps(settings)], nanogpt if side.startswith("nanogpt") else None)


def sides(options: argparse.Namespace) -> list[str]:
    found = [f"lmcli {optimizer} {dtype}" for dtype in DTYPES for optimizer in ("adamw", "muon")]
    found += [f"{side} compiled" for side in found if options.compile]
    if options.nanogpt:
        found += [f"nanogpt {dtype}" for dtype in DTYPES]
        found += [f"nanogpt {dtype} compiled" for dtype in DTYPES if options.compile]
    if not options.no_trainer:
        found += [f"trainer {dtype}" for dtype in DTYPES]
    return [side for side in found if not options.only or any(part in side for part in options.only)]


def main() -> None:
    options = parse()
    if not options.no_trainer:
        require("transformers", "accelerate")
    shape = SHAPES[options.shape]
    rates: dict[str, list[float]] = {dtype: [] for dtype in DTYPES}
    runs: dict[str, list[dict[str, Any]]] = {side: [] for side in sides(options)}
    amounts = f"{shape.weights / 1e6:.1f} M weights in products, {shape.flops / 1e6:.1f} MFLOP a token"
    print(f"{options.shape}: {shape}, {amounts}")
    for number in range(options.repeat):
        for dtype in DTYPES:
            arguments = [dtype, str(shape.tokens), str(options.threads), json.dumps(shape.products())]
            rates[dtype].append(in_process(PRODUCTS, arguments)["gflops"])
        for side in runs:
            run = step_run(side, shape, options.steps, options.warmup, options.threads, options.nanogpt)
            check(side, run, shape)
            runs[side].append(run)
            print(
                f"  run {number + 1} {side}: {statistics.median(run['seconds']):.3f} s a step",
                file=sys.stderr,
                flush=True,
            )
    report(shape, rates, runs)


def check(side: str, run: dict[str, Any], shape: Shape) -> None:
    if abs(run["weights"] / shape.weights - 1) > 0.001:
        raise SystemExit(f"{side} has {run['weights']:,} weights in products, not {shape.weights:,}")


def report(shape: Shape, rates: dict[str, list[float]], runs: dict[str, list[dict[str, Any]]]) -> None:
    """A line for each side: the median over the runs of each run's median step, and the quickest step of all."""
    machine = {dtype: statistics.median(values) for dtype, values in rates.items()}
    for dtype, rate in machine.items():
        print(
            f"matrix products alone, {dtype}: {rate:.0f} GFLOP/s ({min(rates[dtype]):.0f} to {max(rates[dtype]):.0f})"
        )
    medians = {
        side: statistics.median(statistics.median(run["seconds"]) for run in done) for side, done in runs.items()
    }
    before = f"{'before the steps':>17}"
    heads = f"{'tokens/s':>9} {'GFLOP/s':>8} {'of its products':>16} {before} {'spread':>7} {'best step':>10}"
    print(f"{'':29} {heads}")
    for side, seconds in medians.items():
        rate = shape.tokens / seconds
        gflops = rate * shape.flops / 1e9
        share = gflops / machine[next(dtype for dtype in DTYPES if dtype in side)]
        starts = statistics.median(run["before"] for run in runs[side])
        each = [statistics.median(run["seconds"]) for run in runs[side]]
        spread = (max(each) - min(each)) / seconds
        best = min(second for run in runs[side] for second in run["seconds"])
        print(f"{side:29} {rate:9,.0f} {gflops:8.0f} {share:16.1%} {starts:15.1f} s {spread:7.1%} {best:8.3f} s")
    report_ratios({side: shape.tokens / seconds for side, seconds in medians.items()})


def report_ratios(speeds: dict[str, float]) -> None:
    """lmcli against the fastest setting of each peer, in all and for each precision."""
    for dtype in ("", *DTYPES):
        ours = {side: speed for side, speed in speeds.items() if side.startswith("lmcli") and dtype in side}
        for peer in ("nanogpt", "trainer"):
            theirs = {side: speed for side, speed in speeds.items() if side.startswith(peer) and dtype in side}
            if not theirs or not ours:
                continue
            best = max(theirs, key=lambda side: theirs[side])
            for side, speed in ours.items():
                if dtype or "bfloat16" in side:
                    print(
                        f"{side} is {speed / theirs[best]:.2f} times as fast as {best}{'' if dtype else ', its best'}"
                    )


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shape", choices=SHAPES, default="10m")
    parser.add_argument("--nanogpt", type=Path, help="a checkout of nanoGPT")
    parser.add_argument("--compile", action="store_true", help="also lmcli and nanoGPT compiled")
    parser.add_argument("--no-trainer", action="store_true", help="without transformers.Trainer")
    parser.add_argument("--only", nargs="+", help="only sides whose names hold one of these, as in 'lmcli adamw'")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each side, in turn")
    parser.add_argument("--steps", type=int, default=10, help="that count, in each run")
    parser.add_argument("--warmup", type=int, default=3, help="steps before them")
    parser.add_argument("--threads", type=int, default=0, help="0 leaves it to each side")
    return parser.parse_args()


if __name__ == "__main__":
    main()
