"""One training step of one program at a fixed shape, over and over in this process: seconds of each, and memory.

    python training_step.py SIDE '{"depth": 6, "width": 384, ...}'

SIDE is a key of `SIDES`. Prints JSON: the seconds of each step after the first ones, the seconds before them (building,
compiling), the weights in matrix products, and the peak of resident memory without what torch's import takes. A step is
a batch that lies ready, forward, backward, a clipped gradient, an optimizer step and no gradients afterwards; dropout
is off. nanoGPT's folder must be on PYTHONPATH for its sides.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

BATCHES = 4  # different ones, in turn


@dataclass(frozen=True)
class Bench:
    """`threads` 0 is torch's own choice."""

    depth: int
    width: int
    context: int
    rows: int
    vocabulary: int
    steps: int
    warmup: int
    threads: int

    def batches(self) -> list[tuple[Tensor, Tensor]]:
        """Inputs and targets of random tokens, (rows, context)."""
        generator = torch.Generator().manual_seed(0)
        size = (self.rows, self.context + 1)
        windows = [torch.randint(self.vocabulary, size, generator=generator) for _ in range(BATCHES)]
        return [(window[:, :-1].contiguous(), window[:, 1:].contiguous()) for window in windows]


@dataclass(frozen=True)
class Run:
    """Seconds of the counted steps, and how many weights each token is multiplied with."""

    times: list[float]
    weights: int


def repeated(bench: Bench, step: Callable[[int], object], weights: int) -> Run:
    times = []
    for number in range(bench.warmup + bench.steps):
        start = time.perf_counter()
        step(number)
        times.append(time.perf_counter() - start)
    return Run(times[bench.warmup :], weights)


def lmcli(bench: Bench, dtype: str, optimizer: str, compiled: bool) -> Run:
    """lmcli's stepper over a qwen3 decoder, with the rows at once that its planner takes."""

    from lmcli.config import decode
    from lmcli.models.config import ComputeConfig, ModelConfig
    from lmcli.models.families import FAMILIES
    from lmcli.objectives.batch import make_batch
    from lmcli.objectives.next_token import RunningText
    from lmcli.training import ladder
    from lmcli.training.config import TrainConfig
    from lmcli.training.layout import layout_for
    from lmcli.training.outcome import compute_of
    from lmcli.training.step import Stepper

    batch = bench.rows * bench.context
    settings = {"optimizer": {"name": optimizer}, "batch_tokens": batch, "dtype": dtype, "compile": compiled}
    config = decode(TrainConfig, settings)
    compute = compute_of(ComputeConfig(dtype=dtype, threads=bench.threads), None)  # type: ignore[arg-type]
    dials = ladder.dials(ModelConfig(depth=bench.depth), ladder.Rung(bench.width, 1), bench.context, 0.0, True)
    family = FAMILIES.load(dials.family)
    shape = family.shape_of(dials, bench.vocabulary)
    model = family(shape, 0.0).initialise(0).to(compute.device).train()
    stepper = Stepper.of(model, RunningText(0), config, compute)
    layout = layout_for(1e12, 10**12, bench.context, config, compute.device)
    parts = [
        [
            make_batch("causal", i.numpy(), t.numpy())
            for i, t in zip(inputs.split(layout.micro_rows), targets.split(layout.micro_rows), strict=True)
        ]
        for inputs, targets in bench.batches()
    ]
    return repeated(
        bench, lambda n: stepper.step(n + 1, parts[n % BATCHES], 1.0, lambda: None), shape.matmul_parameters
    )


def nanogpt(bench: Bench, dtype: str, compiled: bool) -> Run:
    """nanoGPT's model, its AdamW, and the middle of its training loop."""
    from model import GPT, GPTConfig  # type: ignore[import-not-found]

    use(bench)
    config = GPTConfig(
        block_size=bench.context,
        vocab_size=bench.vocabulary,
        n_layer=bench.depth,
        n_head=bench.width // 64,
        n_embd=bench.width,
        dropout=0.0,
        bias=False,
    )
    plain = GPT(config)
    optimizer = plain.configure_optimizers(0.1, 1e-3, (0.9, 0.99), "cpu")
    model: Any = torch.compile(plain) if compiled else plain
    batches = bench.batches()

    def step(number: int) -> None:
        with autocast(dtype):
            _, loss = model(*batches[number % BATCHES])
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        loss.item()

    return repeated(
        bench, step, sum(p.numel() for p in plain.parameters() if p.ndim == 2) - plain.transformer.wpe.weight.numel()
    )


def trainer(bench: Bench, dtype: str) -> Run:
    """transformers.Trainer with its defaults on GPT-2's architecture; its loop takes the times."""
    import transformers
    from transformers import GPT2Config, GPT2LMHeadModel, Trainer, TrainerCallback, TrainingArguments

    use(bench)
    transformers.logging.set_verbosity_error()
    config = GPT2Config(
        vocab_size=bench.vocabulary,
        n_positions=bench.context,
        n_embd=bench.width,
        n_layer=bench.depth,
        n_head=bench.width // 64,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=None,
        eos_token_id=None,
        use_cache=False,
    )
    model = GPT2LMHeadModel(config)
    rows = [{"input_ids": row, "labels": row} for inputs, _ in bench.batches() for row in inputs]

    class Clock(TrainerCallback):
        def __init__(self) -> None:
            self.ends: list[float] = []

        def on_step_end(self, *_: Any, **__: Any) -> None:
            self.ends.append(time.perf_counter())

    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder,
            max_steps=bench.warmup + bench.steps + 1,
            per_device_train_batch_size=bench.rows,
            bf16=dtype == "bfloat16",
            use_cpu=True,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )
        Trainer(model=model, args=settings, train_dataset=rows, callbacks=[clock]).train()
    times = [after - before for before, after in zip(clock.ends, clock.ends[1:], strict=False)]
    weights = sum(p.numel() for name, p in model.named_parameters() if p.ndim == 2 and "wpe" not in name)
    return Run(times[bench.warmup :], weights)


def use(bench: Bench) -> None:
    if bench.threads:
        torch.set_num_threads(bench.threads)


def autocast(dtype: str) -> contextlib.AbstractContextManager[Any]:
    if dtype == "float32":
        return contextlib.nullcontext()
    return torch.autocast("cpu", dtype=getattr(torch, dtype))


SIDES: dict[str, Callable[[Bench], Run]] = {
    **{
        f"lmcli {o} {d}{' compiled' * c}": partial(lmcli, dtype=d, optimizer=o, compiled=c)
        for o in ("adamw", "muon")
        for d in ("float32", "bfloat16")
        for c in (False, True)
    },
    **{f"nanogpt {d}": partial(nanogpt, dtype=d, compiled=False) for d in ("float32", "bfloat16")},
    **{f"nanogpt {d} compiled": partial(nanogpt, dtype=d, compiled=True) for d in ("float32", "bfloat16")},
    **{f"trainer {d}": partial(trainer, dtype=d) for d in ("float32", "bfloat16")},
}


def resident(key: str) -> float:
    """MiB of VmRSS (now) or VmHWM (the most so far)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(key))
    return int(line.split()[1]) / 1024


def main() -> None:
    imported = resident("VmRSS")
    bench = Bench(**json.loads(sys.argv[2]))
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):  # peers talk
        run = SIDES[sys.argv[1]](bench)
    before = time.perf_counter() - start - sum(run.times)
    found = {"seconds": run.times, "before": before, "weights": run.weights, "threads": torch.get_num_threads()}
    print(json.dumps({**found, "memory": resident("VmHWM") - imported}))
    sys.stdout.flush()
    os._exit(0)  # compiled code has threads that take their time


if __name__ == "__main__":
    main()
