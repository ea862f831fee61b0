from __future__ import annotations

import json
import math
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lmcli.config import decode
from lmcli.corpus.splits import Piece
from lmcli.errors import InputError, Stopped
from lmcli.models.config import ModelConfig
from lmcli.progress import Silent
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.encoding import encode
from lmcli.tokens.tokenizer import Tokenizer
from lmcli.tokens.training import train_tokenizer
from lmcli.training.config import PretrainConfig
from lmcli.training.ingredients import Probe
from lmcli.training.metrics import read_metrics
from lmcli.training.outcome import Outcome
from lmcli.training.pretrain import pretrain
from lmcli.training.world import SOLO, World
from tests.training.tiny import Follower, weights_digest

TEXT = "the cat sat on the mat and the dog lay on the log while the rat ate the oat; "
SMALL = {"width": 32, "depth": 1, "context": 16, "dropout": 0.0}


def corpus(path: Path, documents: int = 20, validation: int = 2) -> Path:
    texts = [TEXT[n % 13 :] + TEXT[: n % 13] for n in range(documents)]
    config = TokenizerConfig(kind="char")
    train_tokenizer(texts, sum(map(len, texts)), config, path / "tokenizer", Silent())
    pieces = [Piece(text, "validation" if n < validation else "train", True) for n, text in enumerate(texts)]
    encode(pieces, Tokenizer.load(path / "tokenizer"), path / "tokens", workers=1, progress=Silent())
    return path / "tokens"


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return corpus(tmp_path_factory.mktemp("corpus"))


def run(
    tokens: Path,
    path: Path,
    length: str,
    key: str = "key",
    probes: tuple[Probe, ...] = (),
    world: World = SOLO,
    **train: Any,
) -> Outcome:
    config = decode(PretrainConfig, {"length": length, "threads": 1, "batch_tokens": 64, **train})
    model = decode(ModelConfig, SMALL)
    return pretrain(tokens, model, config, path, key, Silent(), time.monotonic(), probes, world=world)


def test_it_learns_the_text(tokens: Path, tmp_path: Path) -> None:
    outcome = run(tokens, tmp_path / "run", "80 steps")
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    vocab = outcome.plan.vocab_size
    assert rows[0]["loss"] == pytest.approx(math.log(vocab), abs=0.2)
    assert outcome.best is not None
    assert outcome.best.loss < 0.5 * math.log(vocab)
    assert (outcome.steps, outcome.tokens, outcome.ending) == (80, 80 * 64, "steps")
    assert not outcome.model.training


def test_bits_per_byte_leave_the_end_token_out(tokens: Path, tmp_path: Path) -> None:
    outcome = run(tokens, tmp_path / "run", "3 steps")
    assert outcome.best is not None
    ends, bytes_, tokens_ = 2, 2 * len(TEXT), 2 * (len(TEXT) + 1)
    nats = outcome.best.bits_per_byte * math.log(2) * bytes_
    assert nats < outcome.best.loss * tokens_
    assert nats == pytest.approx(outcome.best.loss * (tokens_ - ends), rel=0.1)


def test_a_time_budget_is_kept(tokens: Path, tmp_path: Path) -> None:
    started = time.monotonic()
    outcome = run(tokens, tmp_path / "run", "6s", early_stop=0)
    assert outcome.plan.budget is not None
    assert outcome.ending == "steps"
    assert time.monotonic() - started < 9


def test_a_second_call_gives_the_same_model_without_training(tokens: Path, tmp_path: Path) -> None:
    first = run(tokens, tmp_path / "run", "10 steps")
    before = (tmp_path / "run" / "metrics.jsonl").read_bytes()
    again = run(tokens, tmp_path / "run", "10 steps")
    assert weights_digest(again.model) == weights_digest(first.model)
    assert (again.best_step, again.best, again.steps) == (first.best_step, first.best, first.steps)
    assert (tmp_path / "run" / "metrics.jsonl").read_bytes() == before


def test_another_key_starts_anew_and_keeps_the_old_run(tokens: Path, tmp_path: Path) -> None:
    run(tokens, tmp_path / "run", "3 steps", key="one")
    run(tokens, tmp_path / "run", "4 steps", key="two")
    plans = {
        path.name: json.loads((path / "run.json").read_text())["plan"]["pace"]["steps"] for path in tmp_path.iterdir()
    }
    assert plans == {"run": 4, "run.1": 3}


def test_a_run_that_was_stopped_ends_as_one_that_was_not(tokens: Path, tmp_path: Path) -> None:
    def stop(step: int, model: nn.Module) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    whole = run(tokens, tmp_path / "whole", "3 epochs")
    with pytest.raises(Stopped, match="stopped after step 30 of"):
        run(tokens, tmp_path / "cut", "3 epochs", probes=(Probe(lambda step: step == 30, stop),))
    cut = run(tokens, tmp_path / "cut", "3 epochs")
    assert weights_digest(cut.model) == weights_digest(whole.model)
    logs = [read_metrics(tmp_path / name / "metrics.jsonl") for name in ("whole", "cut")]
    assert [row["loss"] for row in logs[0]] == [row["loss"] for row in logs[1]]


def test_another_process_asks_nothing_of_a_directory_that_the_first_has(tokens: Path, tmp_path: Path) -> None:
    assert run(tokens, tmp_path / "run", "3 steps", world=Follower()).steps == 3
    assert not list(tmp_path.iterdir())


def test_a_corpus_without_validation_trains_to_its_last_step(tmp_path: Path) -> None:
    outcome = run(corpus(tmp_path / "corpus", validation=0), tmp_path / "run", "5 steps")
    assert (outcome.best_step, outcome.best, outcome.last) == (5, None, None)


def test_a_corpus_shorter_than_a_window_is_refused_with_numbers(tmp_path: Path) -> None:
    tokens = corpus(tmp_path / "corpus", documents=1, validation=0)
    config = decode(PretrainConfig, {"length": "5 steps"})
    with pytest.raises(InputError, match=r"has \d+ tokens, fewer than one window of model\.context = 4096"):
        pretrain(tokens, ModelConfig(context=4096), config, tmp_path / "run", "key", Silent(), time.monotonic())


def test_a_corpus_of_a_few_words_trains_with_everything_automatic(tmp_path: Path) -> None:
    tokens = corpus(tmp_path / "corpus", documents=2, validation=1)
    config = decode(PretrainConfig, {"length": "2 epochs", "threads": 1})
    outcome = pretrain(tokens, ModelConfig(), config, tmp_path / "run", "key", Silent(), time.monotonic())
    assert outcome.steps >= 1


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_bfloat16_training_ends_near_float32_training(optimizer: str, tokens: Path, tmp_path: Path) -> None:
    ends = []
    for dtype in ("float32", "bfloat16"):
        outcome = run(tokens, tmp_path / dtype, "20 steps", dtype=dtype, optimizer={"name": optimizer})
        assert all(parameter.dtype == torch.float32 for parameter in outcome.model.parameters())
        assert outcome.best is not None
        ends.append(outcome.best.loss)
    assert ends[0] == pytest.approx(ends[1], abs=0.1)
