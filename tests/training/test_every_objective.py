"""Every objective through the one loop: it learns, and a run that was stopped ends as one that was not."""

from __future__ import annotations

import dataclasses
import math
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from lmcli.config import decode
from lmcli.errors import Stopped
from lmcli.models.config import ModelConfig
from lmcli.progress import Silent
from lmcli.tokens.layout import read_index
from lmcli.training.config import PretrainConfig
from lmcli.training.ingredients import Probe
from lmcli.training.metrics import read_metrics
from lmcli.training.origin import Origin
from lmcli.training.outcome import Outcome
from lmcli.training.pretrain import pretrain
from tests.objectives import encoded
from tests.training.tiny import weights_digest

SIZES = {"width": 32, "depth": 1, "heads": 2, "context": 24, "dropout": 0.0}
MIDDLE = ("<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>")
KINDS: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "bert": ({"family": "bert"}, [{"name": "masked", "pairs": "nsp"}]),
    "roberta": ({"family": "roberta"}, []),
    "electra": ({"family": "electra", "embedding_width": 16}, []),
    "both": ({"family": "qwen3"}, ["causal", {"name": "masked", "whole_words": True}]),
    "unilm": ({"family": "bert"}, [{"name": "masked", "static": True, "weight": 2.0}, "causal"]),
    "lstm": ({"family": "lstm", "heads": "auto"}, []),
    "fim": ({"family": "gpt2"}, [{"name": "causal", "fim": 0.5}]),
    "prefix": ({"family": "llama"}, ["prefix"]),
    "spans": ({"family": "t5"}, []),
    "gap": ({"family": "t5"}, [{"name": "denoise", "noise": "gap"}]),
    "bart": ({"family": "marian"}, [{"name": "denoise", "noise": "bart", "delete": 0.1, "rotate": 0.2}]),
    "pieces": ({"family": "qwen3", "context": 64}, []),
    "lstm-bart": ({"family": "lstm-seq2seq", "heads": "auto"}, [{"name": "denoise", "noise": "bart"}]),
}
TERMS = {
    "bert": {"masked", "nsp"},
    "electra": {"generator", "discriminator"},
    "both": {"causal", "masked"},
    "unilm": {"causal", "masked"},
}


@pytest.fixture(scope="module")
def tokens(tmp_path_factory: pytest.TempPathFactory) -> Path:
    special = (*encoded.SPECIAL, *MIDDLE)
    return encoded.corpus(tmp_path_factory.mktemp("corpus"), special_tokens=special, sentinels=20)


def run(tokens: Path, path: Path, kind: str, steps: int, probes: tuple[Probe, ...] = (), **model: Any) -> Outcome:
    changes, objective = KINDS[kind]
    settings = {"length": f"{steps} steps", "threads": 1, "batch_tokens": 8 * 24, "micro_batch": 3, "save_every": 7}
    config = decode(PretrainConfig, {**settings, "objective": objective, "dtype": "float32", "early_stop": 0})
    config = dataclasses.replace(config, short_start=0.6)  # of a context of 64 on, which one of them has
    shape = decode(ModelConfig, {**SIZES, **changes, **model})
    origin = Origin(tokenizer=tokens.parent / "tokenizer")
    return pretrain(tokens, shape, config, path, "key", Silent(), time.monotonic(), probes, origin)


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_was_stopped_ends_as_one_that_was_not(kind: str, tokens: Path, tmp_path: Path) -> None:
    def stop(step: int, model: nn.Module) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    whole = run(tokens, tmp_path / "whole", kind, 24, dropout=0.1)
    with pytest.raises(Stopped):
        run(tokens, tmp_path / "cut", kind, 24, probes=(Probe(lambda step: step == 11, stop),), dropout=0.1)
    cut = run(tokens, tmp_path / "cut", kind, 24, dropout=0.1)
    assert weights_digest(cut.model) == weights_digest(whole.model)
    logs = [read_metrics(tmp_path / name / "metrics.jsonl") for name in ("whole", "cut")]
    assert [row["loss"] for row in logs[0]] == [row["loss"] for row in logs[1]]
    assert {name.removeprefix("loss_") for name in logs[0][0] if name.startswith("loss_")} == TERMS.get(kind, set())


def test_bert_learns_the_text(tokens: Path, tmp_path: Path) -> None:
    run(tokens, tmp_path / "run", "bert", 300)
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    vocab = read_index(tokens).vocab_size
    assert rows[0]["loss_masked"] == pytest.approx(math.log(vocab), abs=0.3)
    assert rows[0]["loss_nsp"] == pytest.approx(math.log(2), abs=0.1)
    assert rows[-1]["val_loss_masked"] < 0.5 * math.log(vocab)
    assert "val_bpb" not in rows[-1]


@pytest.mark.slow
def test_electra_learns_to_fill_in_and_to_find(tokens: Path, tmp_path: Path) -> None:
    run(tokens, tmp_path / "run", "electra", 400)
    rows = read_metrics(tmp_path / "run" / "metrics.jsonl")
    vocab = read_index(tokens).vocab_size
    assert rows[0]["loss_generator"] == pytest.approx(math.log(vocab), abs=0.3)
    assert rows[0]["loss_discriminator"] == pytest.approx(math.log(2), abs=0.1)
    assert rows[-1]["val_loss_generator"] < 0.6 * math.log(vocab)
    replaced = 0.15 * 20 / 24  # of all positions, at most
    guessing = -replaced * math.log(replaced) - (1 - replaced) * math.log(1 - replaced)
    assert rows[-1]["val_loss_discriminator"] < guessing
