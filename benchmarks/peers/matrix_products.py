"""The machine's own rate: the matrix products of a decoder's training step, alone, forward and backward.

    python matrix_products.py float32|bfloat16 TOKENS THREADS '[[inputs, outputs, count], ...]'

Each of `count` layers multiplies TOKENS rows by a matrix (inputs, outputs); backward makes the gradients of the rows
and of the matrix. Prints JSON: GFLOP/s of all of them together, each weighted with the time that it takes.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable

import torch

SECONDS = 0.4  # for each product


def timed(product: Callable[[], object]) -> float:
    """The median seconds of one call."""
    product()
    times: list[float] = []
    while sum(times) < SECONDS or len(times) < 5:
        start = time.perf_counter()
        product()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def layer_seconds(tokens: int, inputs: int, outputs: int, dtype: torch.dtype) -> list[float]:
    """Seconds of y = x w^T, of the gradient of x and of the gradient of w."""
    x = torch.randn(tokens, inputs).to(dtype)
    w = torch.randn(outputs, inputs).to(dtype)
    g = torch.randn(tokens, outputs).to(dtype)
    return [timed(lambda: x @ w.T), timed(lambda: g @ w), timed(lambda: g.T @ x)]


def main() -> None:
    dtype, tokens, threads = getattr(torch, sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    if threads:
        torch.set_num_threads(threads)
    seconds = flops = 0.0
    found = []
    with torch.inference_mode():
        for inputs, outputs, count in json.loads(sys.argv[4]):
            times = layer_seconds(tokens, inputs, outputs, dtype)
            seconds += count * sum(times)
            flops += count * 6.0 * tokens * inputs * outputs
            found.append([inputs, outputs, *(2e-9 * tokens * inputs * outputs / time for time in times)])
    print(json.dumps({"gflops": flops / seconds / 1e9, "products": found, "threads": torch.get_num_threads()}))


if __name__ == "__main__":
    main()
