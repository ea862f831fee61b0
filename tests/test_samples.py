"""Text that a model writes during its training: the same with or without a stop, and no weight depends on it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lmcli.config import decode
from lmcli.errors import Stopped
from lmcli.models.bert import Bert
from lmcli.models.config import ModelConfig
from lmcli.progress import Silent
from lmcli.stages import samples
from lmcli.training.config import PretrainConfig
from lmcli.training.ingredients import Probe
from lmcli.training.pretrain import pretrain
from tests.conftest import Lmcli
from tests.models.tiny import tokenizer_directory
from tests.projects import TINY, command, digests
from tests.training.test_loop import Notes
from tests.training.test_pretrain import SMALL, corpus

LINE = ("train", "--steps", 12, "--name", "watched", *TINY)
SIZES = {"width": 32, "depth": 1, "heads": 2, "ffn": 64, "context": 16, "dropout": 0.0, "tie_embeddings": True}
SAMPLES = ("--set", "train.sample_every=5", "--set", "train.sample_prompts=The cat,The dog")


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_samples_are_written_and_change_no_weight(lmcli: Lmcli, trained: Path, tmp_path: Path) -> None:
    plain = shutil.copytree(trained, tmp_path / "plain")
    assert command(plain, *LINE) == 0
    ran = lmcli(*LINE, *SAMPLES)
    assert ran.code == 0, ran.err
    assert digests(trained)["watched"] == digests(plain)["watched"]
    found = rows(trained / "runs" / "watched" / "samples.jsonl")
    assert [(row["step"], row["prompt"]) for row in found] == [
        (5, "The cat"), (5, "The dog"), (10, "The cat"), (10, "The dog"),
    ]  # fmt: skip
    assert all(row["text"] and row["tokens"] <= samples.TOKENS for row in found)
    assert "step 5: The cat" in ran.err
    assert "up to date" in lmcli(*LINE).out


def test_a_fine_tune_writes_samples_too(lmcli: Lmcli, trained: Path) -> None:
    ran = lmcli("finetune", "pairs.jsonl", "--steps", 4, "--set", "finetune.sample_every=2")
    assert ran.code == 0, ran.err
    assert [row["step"] for row in rows(trained / "runs" / "pairs" / "samples.jsonl")] == [2, 4]


@pytest.mark.parametrize("stopped_at", [5, 6, 9])
def test_a_stop_leaves_no_row_out_and_repeats_none(stopped_at: int, tmp_path: Path) -> None:
    tokens = corpus(tmp_path / "corpus")
    config = decode(
        PretrainConfig,
        {"length": "12 steps", "threads": 1, "batch_tokens": 64, "save_every": 4, "sample_every": 3, "eval_every": 5},
    )
    notes = Notes()

    def run(path: Path, *more: Probe) -> None:
        watch = samples.probes(config, path, tokens.parent / "tokenizer", notes)
        model = decode(ModelConfig, SMALL)
        pretrain(tokens, model, config, path, "key", Silent(), time.monotonic(), (*more, *watch))

    def stop(step: int, model: nn.Module) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    run(tmp_path / "whole")
    with pytest.raises(Stopped):
        run(tmp_path / "cut", Probe(lambda step: step == stopped_at, stop))
    run(tmp_path / "cut")
    whole, cut = (rows(tmp_path / name / "samples.jsonl") for name in ("whole", "cut"))
    assert cut == whole
    assert [row["step"] for row in whole] == [3, 6, 9, 12]
    assert notes.said
    assert all(len(line) < samples.SHOWN + 20 and "\n" not in line for line in notes.said)


def test_none_are_written_by_default(tmp_path: Path) -> None:
    assert samples.probes(PretrainConfig(), tmp_path, tmp_path / "nowhere", Silent()) == ()


def test_an_encoder_says_once_that_it_writes_none(tmp_path: Path) -> None:
    notes, run = Notes(), tmp_path / "run"
    run.mkdir()
    config = decode(PretrainConfig, {"sample_every": 1})
    (probe,) = samples.probes(config, run, tokenizer_directory(tmp_path / "tokenizer"), notes)
    with torch.device("meta"):
        encoder = Bert(Bert.shape_of(ModelConfig(family="bert", **SIZES), 300))  # type: ignore[arg-type]
    probe.call(1, encoder)
    probe.call(2, encoder)
    assert notes.said == ["an encoder writes no samples"]
    assert not (run / "samples.jsonl").exists()
