"""Completions written by a model, against those that were wanted."""

from __future__ import annotations

from collections.abc import Sequence

from lmcli.corpus.rows import Row
from lmcli.evaluation.config import EvalConfig
from lmcli.evaluation.results import Sample
from lmcli.generation.config import GenerateConfig
from lmcli.generation.writing import write
from lmcli.models.directory import Writer
from lmcli.progress import Progress
from lmcli.tokens.tokenizer import Tokenizer


def complete(
    model: Writer, tokenizer: Tokenizer, rows: Sequence[Row], config: EvalConfig, progress: Progress
) -> tuple[Sample, ...]:
    """A greedy completion for the prompt of each row, in the order of the rows."""
    decoding = GenerateConfig(
        greedy=True,
        max_tokens=config.max_tokens,
        batch=config.batch,
        dtype=config.dtype,
        threads=config.threads,
    )
    samples: list[Sample] = []
    with progress.task("generate", len(rows), "rows") as task:
        for start in range(0, len(rows), config.batch):
            group = rows[start : start + config.batch]
            texts = write(model, tokenizer, [row.prompt for row in group], decoding, config.seed)
            pairs = zip(group, texts, strict=True)
            samples += [
                Sample(row.id, row.prompt, row.completion, text.text, text.finish_reason, text.truncated)
                for row, text in pairs
            ]
            task.advance(len(group))
    return tuple(samples)
