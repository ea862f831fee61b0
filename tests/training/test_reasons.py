from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lmcli.config import decode
from lmcli.models.config import ModelConfig
from lmcli.progress import Silent
from lmcli.training.config import PretrainConfig
from lmcli.training.planner import Corpus, plan_pretraining
from lmcli.training.reasons import reasons
from tests.training.test_planner import CPU, DOCS, Machine

WHAT = ["shape", "context", "beginning", "output layer", "dropout", "batch", "at once", "steps"]


def why(corpus: Corpus = DOCS, model: ModelConfig | None = None, flops: float = 100e9, **train: Any) -> dict[str, str]:
    config, model = decode(PretrainConfig, train), model or ModelConfig()
    machine = Machine(flops)
    plan = plan_pretraining(corpus, model, config, CPU, machine.elapsed, machine.measure, Silent())
    return {reason.what: f"{reason.choice}: {reason.why}" for reason in reasons(plan, corpus, model, config)}


def test_each_choice_has_its_rule() -> None:
    found = why(length="5m")
    assert list(found) == WHAT
    assert "the largest that was to see" in found["shape"]
    assert "would see about" in found["shape"]
    assert "measured speed" in found["steps"]


def test_what_was_set_is_said_to_be_set() -> None:
    model = ModelConfig(width=64, depth=2, context=64, dropout=0.1, tie_embeddings=True)
    found = why(model=model, length="50 steps", batch_tokens=640, micro_batch=5, short_start=0.5)
    assert all(text.endswith(": as set") for text in found.values()), found


@pytest.mark.parametrize(
    ("corpus", "length", "what", "words"),
    [
        (Corpus(7000, 900, 640), "5m", "steps", "passes are enough, so this ends before 5m"),
        (Corpus(7000, 900, 640), "5m", "shape", "or the corpus 4 times"),
        (Corpus(54_000, 6_000, 62), "5m", "shape", "weights for each token of the corpus"),
        (DOCS, "3 steps", "shape", "the smallest in the list"),
        (DOCS, "3 epochs", "steps", "3 passes over the corpus"),
        (Corpus(10**11, 10**6, 50_000), "30d", "shape", "there is no larger one"),
    ],
)
def test_the_rule_that_decided_is_named(corpus: Corpus, length: str, what: str, words: str) -> None:
    assert words in why(corpus, length=length, flops=5e12)[what]


def test_a_batch_is_explained_by_the_tokens_that_it_was_chosen_for() -> None:
    """A number of steps says nothing of their size; 2,048 tokens are taken for it."""
    assert why(length="100 steps")["batch"].startswith("1,024 tokens, 8 rows: the power of two next to 6.1 x 204,800^")
    assert why(length="100 steps")["context"].endswith(
        "a run of about 204,800; 256 pays from 1,000,000 and 1,500,000 on"
    )


@pytest.mark.parametrize(
    ("held_back", "what", "words"),
    [
        ("shape", "shape", "the largest that the memory holds; it sees"),
        ("shape", "at once", "than the memory holds"),
        ("rows", "at once", "than the memory holds"),
    ],
)
def test_what_the_memory_decided_is_said(held_back: Any, what: str, words: str) -> None:
    machine = Machine(1e12)
    config = decode(PretrainConfig, {"length": "20m"})
    plan = plan_pretraining(DOCS, ModelConfig(), config, CPU, machine.elapsed, machine.measure, Silent())
    held = replace(plan, held_back=held_back, batching=replace(plan.batching, micro_rows=1))
    assert words in {reason.what: reason.why for reason in reasons(held, DOCS, ModelConfig(), config)}[what]


def test_a_batch_that_processes_share_is_said_to_be_shared() -> None:
    config = decode(PretrainConfig, {"length": "100 steps"})
    machine, compute = Machine(1e12), replace(CPU, processes=2)
    plan = plan_pretraining(DOCS, ModelConfig(), config, compute, machine.elapsed, machine.measure, Silent())
    found = {reason.what: str(reason) for reason in reasons(plan, DOCS, ModelConfig(), config)}
    assert found["at once"] == "at once 4 rows: the batch is shared by the processes"


def test_the_beginning_reads_pieces_of_running_text_alone() -> None:
    model = ModelConfig(context=128)
    assert why(model=model, length="100 steps")["beginning"].startswith("25 steps read pieces of 32 tokens: ")
    assert why(model=model, length="100 steps", short_start=0.1)["beginning"] == (
        "10 steps read pieces of 32 tokens: as set"
    )
    gpt2 = ModelConfig(family="gpt2", context=128)
    assert why(model=gpt2, length="100 steps")["beginning"].startswith("whole windows: pieces are for")
    for other in ({"compile": True}, {"objective": ["masked"]}):
        assert why(model=model, length="100 steps", **other)["beginning"].startswith("whole windows: pieces are for")
    assert "say too little" in why(model=ModelConfig(context=48), length="100 steps")["beginning"]


@settings(deadline=None, max_examples=50)
@given(tokens=st.integers(2, 10**8), vocab=st.integers(2, 50_000), flops=st.floats(1e9, 1e14))
def test_every_plan_has_reasons(tokens: int, vocab: int, flops: float) -> None:
    for length in ("30s", "2h", "20 steps", "1 epoch"):
        assert list(why(Corpus(tokens, tokens // 9, vocab), flops=flops, length=length)) == WHAT
