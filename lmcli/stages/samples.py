"""Text that a model writes while it is trained: in runs/NAME/samples.jsonl, and a line of it on the terminal."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from torch import nn

from lmcli.generation.config import GenerateConfig
from lmcli.generation.writing import Sample, write
from lmcli.models.directory import Writer
from lmcli.progress import Progress
from lmcli.tokens.tokenizer import Tokenizer
from lmcli.training.config import TrainConfig
from lmcli.training.ingredients import Probe
from lmcli.training.metrics import MetricsLog
from lmcli.training.world import SOLO, World

TOKENS = 64
"""Of a sample, its prompt not counted."""
SHOWN = 100
"""Characters of a sample on the terminal."""


def probes(config: TrainConfig, run: Path, tokenizer: Path, progress: Progress, world: World = SOLO) -> Sequence[Probe]:
    """The probe that writes every `config.sample_every` steps; none for 0. It changes nothing that is trained.

    The text follows from the weights and the seed, so that a run that was stopped writes what it would have written.
    Of several processes rank 0 writes, and the others wait at their next step; of a sharded model none has the weights.
    """
    if not config.sample_every or not world.leads:
        return ()
    if world.is_sharded:
        progress.warn("no samples are written with --strategy fsdp: no process has the whole model (ddp writes them)")
        return ()
    writer = _Writer(config, MetricsLog(run / "samples.jsonl"), Tokenizer.load(tokenizer), progress)
    return (Probe(lambda step: step % config.sample_every == 0, writer.write, writer.log.keep_until),)


class _Writer:
    def __init__(self, config: TrainConfig, log: MetricsLog, tokenizer: Tokenizer, progress: Progress) -> None:
        self._config, self.log, self._tokenizer, self._progress = config, log, tokenizer, progress
        self._told = False
        self._settings = GenerateConfig(max_tokens=TOKENS, dtype=config.dtype, device=config.device)

    def write(self, step: int, model: nn.Module) -> None:
        if not isinstance(model, Writer):
            if not self._told:
                self._progress.warn("an encoder writes no samples")
            self._told = True
            return
        prompts = self._config.sample_prompts or ("",)
        samples = write(model, self._tokenizer, prompts, self._settings, self._config.seed)
        had_failed = self.log.failure is not None
        for sample in samples:
            self.log.append({"step": step, **_row(sample)})
        self.log.sync()
        if self.log.failure is not None and not had_failed:
            self._progress.warn(f"samples.jsonl lacks rows: {self.log.failure}; training goes on")
        self._progress.say(f"step {step}: {_line(samples[0])}")


def _row(sample: Sample) -> dict[str, object]:
    values = dataclasses.asdict(sample)
    return {key: values[key] for key in ("prompt", "text", "tokens", "finish_reason")}


def _line(sample: Sample) -> str:
    """The sample with its prompt, as one line that fits a terminal."""
    text = " ".join(sample.with_prompt.split())
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
