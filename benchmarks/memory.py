"""Peak resident memory of training steps: lmcli beside nanoGPT, the same optimizer, batch and precision.

    python benchmarks/memory.py --nanogpt nanoGPT

Each side builds its model and optimizer and takes a few steps in a fresh process; the figure is the process's peak
(VmHWM) without what it held after `import torch`. Sides and shapes are those of `throughput.py`.
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path

from throughput import DTYPES, SHAPES, step_run


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nanogpt", type=Path, required=True, help="a checkout of nanoGPT")
    parser.add_argument("--shape", choices=SHAPES, default="124m")
    parser.add_argument("--dtype", choices=DTYPES, default="bfloat16")
    parser.add_argument("--optimizers", nargs="+", default=["adamw", "muon"], help="of lmcli; nanoGPT has AdamW")
    parser.add_argument("--trainer", action="store_true", help="also transformers.Trainer")
    parser.add_argument("--repeat", type=int, default=2, help="runs of each side, in turn")
    parser.add_argument("--steps", type=int, default=3)
    options = parser.parse_args()
    names = [f"lmcli {optimizer} {options.dtype}" for optimizer in options.optimizers]
    names += [f"nanogpt {options.dtype}", *([f"trainer {options.dtype}"] if options.trainer else [])]
    found: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(options.repeat):
        for name in names:
            run = step_run(name, SHAPES[options.shape], options.steps, 0, 0, options.nanogpt.resolve())
            found[name].append(run["memory"])
    peer = statistics.median(found[f"nanogpt {options.dtype}"])
    print(f"{options.shape}, {options.steps} steps, peak MiB without torch's import")
    for name, values in found.items():
        median = statistics.median(values)
        print(
            f"{name:26} {median:8,.0f} MiB ({min(values):,.0f} to {max(values):,.0f})  {median / peer:.1%} of nanoGPT"
        )


if __name__ == "__main__":
    main()
