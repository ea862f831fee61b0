from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from lmcli.config import decode
from lmcli.corpus.rows import Row, held_out
from lmcli.errors import InputError
from lmcli.models.qwen3 import Qwen3
from lmcli.models.shape import Shape
from lmcli.progress import Silent
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.tokenizer import Tokenizer
from lmcli.tokens.training import train_tokenizer
from lmcli.training.config import FinetuneConfig
from lmcli.training.finetune import Finetuned, finetune
from lmcli.training.metrics import read_metrics
from lmcli.training.world import SOLO, World
from tests.training.tiny import Follower, weights_digest

ROWS = [Row(f"rows.jsonl:{n}", f"{n:03d} is", " even" if n % 2 == 0 else " odd") for n in range(60)]


class Notes(Silent):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warn(self, message: str) -> None:
        self.warnings.append(message)


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    texts = [row.prompt + row.completion for row in ROWS]
    path = tmp_path_factory.mktemp("tokenizer")
    train_tokenizer(texts, sum(map(len, texts)), TokenizerConfig(kind="char"), path, Silent())
    return Tokenizer.load(path)


def base(tokenizer: Tokenizer) -> Qwen3:
    shape = Shape(
        vocab_size=tokenizer.vocab_size, width=32, depth=1, heads=1, kv_heads=1, head_dim=32, ffn=64, context=16
    )
    return Qwen3(shape).initialise(1)


def run(
    tokenizer: Tokenizer,
    path: Path,
    rows: list[Row] = ROWS,
    *,
    context: int = 16,
    notes: Notes | None = None,
    world: World = SOLO,
    **config: Any,
) -> Finetuned:
    settings = decode(FinetuneConfig, {"threads": 1, "lr_scale": 1.0, "early_stop": 0, **config})
    model, progress = base(tokenizer), notes or Silent()
    return finetune(model, tokenizer, rows, settings, path, "key", progress, time.monotonic(), world=world)


def test_it_learns_the_completions_of_rows_that_are_held_out(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tuned = run(tokenizer, tmp_path / "run", length="15 epochs")
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    assert tuned.outcome.best is not None
    assert tuned.outcome.best.loss < 0.3 * rows[0]["loss"]
    assert not tuned.outcome.model.training


def test_each_epoch_trains_each_token_of_each_row_once(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tuned = run(tokenizer, tmp_path / "run", length="2 epochs", batch_tokens=40)
    trained = [row for row in ROWS if not held_out(row, 0.1)]
    tokens = sum(len(tokenizer.encode(row.completion)) + 1 for row in trained)
    assert tuned.train.trained_tokens == tokens
    assert tuned.outcome.tokens == 2 * tokens
    assert tuned.validation is not None
    assert tuned.validation.rows == len(ROWS) - len(trained)


def ten_rows(tokenizer: Tokenizer) -> tuple[list[Row], int]:
    """Rows that are all trained on, and their trained tokens."""
    rows = [row for row in ROWS if not held_out(row, 0.1)][:10]
    return rows, sum(len(tokenizer.encode(row.completion)) + 1 for row in rows)


def test_passes_that_no_batch_divides_are_those_asked_for(tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows, tokens = ten_rows(tokenizer)
    tuned = run(tokenizer, tmp_path / "run", rows, length="3 epochs", batch_tokens=round(0.9 * tokens))
    assert tuned.outcome.plan.batching.rows == 9
    assert (tuned.outcome.steps, tuned.outcome.plan.pace.steps) == (4, 4)
    assert tuned.outcome.tokens == 3 * tokens
    assert tuned.outcome.plan.epochs == tuned.epochs == 3.0
    cut_short = replace(tuned, outcome=replace(tuned.outcome, steps=2))
    assert cut_short.epochs == pytest.approx(1.8), "all of its steps are whole"


def test_steps_make_the_passes_that_they_hold(tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows, tokens = ten_rows(tokenizer)
    tuned = run(tokenizer, tmp_path / "run", rows, length="4 steps", batch_tokens=round(0.9 * tokens))
    assert tuned.outcome.plan.batching.rows == 9
    assert tuned.outcome.plan.epochs == tuned.epochs == pytest.approx(3.6)


def test_rows_with_an_empty_completion_are_counted_and_said(tokenizer: Tokenizer, tmp_path: Path) -> None:
    notes = Notes()
    rows = [*ROWS, *(Row(f"{row.id}, empty", row.prompt, "") for row in ROWS)]  # on either side of the split
    tuned = run(tokenizer, tmp_path / "run", rows, length="1 step", notes=notes)
    assert tuned.train.empty == 60
    assert tuned.validation is not None
    assert tuned.train.rows + tuned.validation.rows == len(ROWS)
    assert notes.warnings.count("rows left out: 60 with an empty completion") == 1


def test_rows_that_are_all_empty_are_told_so(tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows = [Row(row.id, row.prompt, "") for row in ROWS]
    with pytest.raises(InputError, match="nothing to train on: 60 rows, all with an empty completion"):
        run(tokenizer, tmp_path / "run", rows)


def test_truncated_rows_are_counted_and_said(tokenizer: Tokenizer, tmp_path: Path) -> None:
    notes = Notes()
    rows = [*ROWS, Row("long", "a prompt", " even" * 9)]
    tuned = run(tokenizer, tmp_path / "run", rows, length="1 step", notes=notes)
    assert tuned.train.completions_cut == 1
    assert any("1 rows are longer than the context of 16 tokens" in warning for warning in notes.warnings)


def test_without_held_out_rows_it_warns_and_trains(tokenizer: Tokenizer, tmp_path: Path) -> None:
    notes = Notes()
    rows = [row for row in ROWS if not held_out(row, 0.5)][:4]
    tuned = run(tokenizer, tmp_path / "run", rows, length="2 steps", notes=notes)
    assert tuned.validation is None
    assert tuned.outcome.best_step == 2
    assert any("no row is held out" in warning for warning in notes.warnings)


def test_held_out_rows_that_are_all_empty_are_as_good_as_none(tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows = [Row(row.id, row.prompt, "") if held_out(row, 0.5) else row for row in ROWS]
    tuned = run(tokenizer, tmp_path / "run", rows, length="2 steps", validation=0.5)
    assert tuned.validation is None


def test_rows_that_are_all_held_out_are_told_apart_from_none(tokenizer: Tokenizer, tmp_path: Path) -> None:
    rows = [row for row in ROWS if held_out(row, 0.5)]
    with pytest.raises(InputError, match=f"all {len(rows)} rows are held out"):
        run(tokenizer, tmp_path / "run", rows, validation=0.5)
    with pytest.raises(InputError, match=f"all {len(rows)} rows are held out .*; 1 more have an empty completion"):
        run(tokenizer, tmp_path / "run", [*rows, Row("empty", "x", "")], validation=0.5)


@pytest.mark.parametrize("rows", [[], [Row("a", "x", "")]])
def test_nothing_to_train_on_is_refused(rows: list[Row], tokenizer: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nothing to train on"):
        run(tokenizer, tmp_path / "run", rows)


def test_a_batch_larger_than_the_rows_is_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a batch of 100000 tokens is more than"):
        run(tokenizer, tmp_path / "run", batch_tokens=100_000)


def test_a_time_budget_is_measured_on_a_copy(tokenizer: Tokenizer, tmp_path: Path) -> None:
    tuned = run(tokenizer, tmp_path / "run", length="2s", lr_scale=1e-12)
    start = base(tokenizer)
    for name, parameter in tuned.outcome.model.named_parameters():
        torch.testing.assert_close(parameter, start.get_parameter(name), atol=1e-4, rtol=0)
    assert tuned.outcome.plan.budget is not None
    assert tuned.outcome.plan.epochs <= 11


def test_another_process_asks_nothing_of_a_directory_that_the_first_has(tokenizer: Tokenizer, tmp_path: Path) -> None:
    assert run(tokenizer, tmp_path / "run", length="3 steps", world=Follower()).outcome.steps == 3
    assert not list(tmp_path.iterdir())


def test_the_same_seed_gives_the_same_model(tokenizer: Tokenizer, tmp_path: Path) -> None:
    digests = [
        weights_digest(run(tokenizer, tmp_path / f"run-{n}", length="6 steps", seed=seed).outcome.model)
        for n, seed in enumerate((1, 1, 2))
    ]
    assert digests[0] == digests[1] != digests[2]
