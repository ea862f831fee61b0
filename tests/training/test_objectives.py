"""Every objective and mixture through the one loop: what is logged, and that a stop changes nothing."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from torch import nn

from lmcli.config import decode
from lmcli.corpus.splits import Piece
from lmcli.errors import Stopped
from lmcli.models.config import ModelConfig
from lmcli.progress import Silent
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.encoding import encode
from lmcli.tokens.tokenizer import Tokenizer
from lmcli.tokens.training import train_tokenizer
from lmcli.training.config import PretrainConfig
from lmcli.training.ingredients import Probe
from lmcli.training.metrics import read_metrics
from lmcli.training.origin import Origin
from lmcli.training.outcome import Outcome
from lmcli.training.pretrain import pretrain
from tests.training.tiny import weights_digest

TEXT = "the cat sat on the mat. the dog lay on the log! did the rat eat the oat? no. "
SPECIAL = ("[CLS]", "[SEP]", "[MASK]", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
SMALL = {"width": 32, "depth": 1, "heads": 2, "context": 48, "dropout": 0.1}
STEPS, STOP = 6, 4

FIM = {"name": "causal", "fim": 0.5}
GAP = {"name": "denoise", "noise": "gap"}
NSP = {"name": "masked", "pairs": "nsp"}
BART = {"name": "denoise", "noise": "bart", "delete": 0.1, "rotate": 0.5}
RUNS: dict[str, tuple[str, list[Any], set[str]]] = {
    "fim": ("qwen3", [FIM], set()),
    "prefix": ("qwen3", ["prefix"], set()),
    "spans": ("qwen3", ["denoise"], set()),
    "gap": ("qwen3", [GAP], set()),
    "bart": ("qwen3", [BART], set()),
    "causal with masked": ("qwen3", ["causal", "masked"], {"causal", "masked"}),
    "unilm": ("bert", ["masked", "causal", {"name": "prefix", "weight": 2}], {"masked", "causal", "prefix"}),
    "masked, nsp and gap": (
        "bert",
        [{"name": "masked", "pairs": "nsp"}, GAP],
        {"masked/masked", "masked/nsp", "denoise"},
    ),
}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("corpus")
    texts = [TEXT[n % 13 :] + TEXT[: n % 13] for n in range(24)]
    config = TokenizerConfig(kind="char", special_tokens=SPECIAL, sentinels=10)
    train_tokenizer(texts, sum(map(len, texts)), config, path / "tokenizer", Silent())
    pieces = [Piece(text, "validation" if n < 3 else "train", True) for n, text in enumerate(texts)]
    tokenizer = Tokenizer.load(path / "tokenizer")
    encode(pieces, tokenizer, path / "tokens", workers=1, progress=Silent(), sentences=True)
    return path


def run(corpus: Path, path: Path, family: str, objective: list[Any], probes: tuple[Probe, ...] = ()) -> Outcome:
    train = {"length": f"{STEPS} steps", "threads": 1, "batch_tokens": 192, "micro_batch": 3, "eval_every": 3}
    config = decode(PretrainConfig, {**train, "objective": objective})
    model = decode(ModelConfig, {**SMALL, "family": family})
    origin = Origin(tokenizer=corpus / "tokenizer")
    return pretrain(corpus / "tokens", model, config, path, "key", Silent(), time.monotonic(), probes, origin)


@pytest.mark.parametrize("kind", RUNS)
def test_it_trains_and_a_stop_changes_nothing(kind: str, corpus: Path, tmp_path: Path) -> None:
    family, objective, terms = RUNS[kind]

    def stop(step: int, model: nn.Module) -> None:
        os.kill(os.getpid(), signal.SIGINT)

    whole = run(corpus, tmp_path / "whole", family, objective)
    with pytest.raises(Stopped):
        run(corpus, tmp_path / "cut", family, objective, (Probe(lambda step: step == STOP, stop),))
    cut = run(corpus, tmp_path / "cut", family, objective)
    assert weights_digest(cut.model) == weights_digest(whole.model)
    rows, again = (read_metrics(tmp_path / name / "metrics.jsonl") for name in ("whole", "cut"))
    assert [row["loss"] for row in rows] == [row["loss"] for row in again]
    assert {key[5:] for key in rows[0] if key.startswith("loss_")} == terms
    assert {key[9:] for key in rows[-1] if key.startswith("val_loss_")} == terms
    assert whole.last is not None
    assert (whole.last.bits_per_byte is not None) == ("causal" in str(objective))
