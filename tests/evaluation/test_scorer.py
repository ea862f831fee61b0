from __future__ import annotations

import math
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from lmcli.corpus.workers import ordered_map
from lmcli.evaluation import scorer
from lmcli.evaluation.measuring import load
from lmcli.evaluation.scorer import Perplexity
from lmcli.models.config import ComputeConfig
from tests import projects


@pytest.fixture
def model(snapshot: Path) -> Iterator[Path]:
    scorer._subject.cache_clear()
    yield snapshot / projects.lock(snapshot)["model"]["path"]
    scorer._subject.cache_clear()


def by_hand(directory: Path, text: str, *, ends: bool) -> float:
    """Window by window, straight from the logits."""
    subject = load(directory, ComputeConfig(device="cpu", dtype="float32", threads=1))
    end, context = subject.tokenizer.end_id, subject.context
    tokens = [end, *subject.tokenizer.encode(text), *([end] if ends else [])]
    nats = []
    for start in range(0, len(tokens) - 1, context):
        window = torch.tensor(tokens[start : start + context + 1])
        with torch.inference_mode():
            logits = subject.model.hidden(window[None, :-1])[0] @ subject.model.output.weight.T
        nats += torch.nn.functional.cross_entropy(logits, window[1:], reduction="none").tolist()
    return math.exp(float(np.mean(nats)))


def test_perplexity_is_that_of_the_model(model: Path) -> None:
    long = "The river ran down to the sea and the ship came in. " * 20  # several windows of 32 tokens
    for text in ("The river ran.", long):
        assert Perplexity(model)(text) == pytest.approx(by_hand(model, text, ends=True), rel=1e-4)


def test_only_the_beginning_of_a_long_text_counts(model: Path) -> None:
    short = Perplexity(model, longest=40)
    text = "The river ran down to the sea and the ship came in."
    assert short(text) == pytest.approx(by_hand(model, text[:40], ends=False), rel=1e-4)
    assert short(text[:40] + "x" * 1000) == short(text[:40] + "y")


def test_no_text_has_no_perplexity(model: Path) -> None:
    assert math.isnan(Perplexity(model)(""))


def test_workers_and_threads_change_nothing(model: Path) -> None:
    texts = [f"The river number {number} ran down to the sea." for number in range(6)]
    judge = pickle.loads(pickle.dumps(Perplexity(model)))
    alone = [judge(text) for text in texts]
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        assert [judge(text) for text in texts] == alone
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert list(ordered_map(judge, texts, 2)) == alone
