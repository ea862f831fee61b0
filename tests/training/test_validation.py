"""Validation gives the same figures whatever the size of its batches, and sees every token once."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from lmcli.models.qwen3 import Qwen3
from lmcli.models.shape import Shape
from lmcli.objectives.batch import Batch, make_batch
from lmcli.objectives.next_token import RunningText
from lmcli.tokens.shards import TokenStream
from lmcli.tokens.windows import evaluation_windows
from lmcli.training.state import Figures
from lmcli.training.validation import Validation
from tests.training.test_pretrain import corpus


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> TokenStream:
    return TokenStream.open(corpus(tmp_path_factory.mktemp("corpus"), validation=7), "validation")


def figures(stream: TokenStream, rows: int, context: int = 16) -> tuple[Figures, int]:
    shape = Shape(vocab_size=stream.vocab_size, width=32, depth=2, heads=2, kv_heads=2, head_dim=16, ffn=64, context=16)
    seen: list[int] = []

    def batches() -> Iterator[Batch]:
        for arrays in evaluation_windows(stream, context, rows):
            batch = make_batch("causal", *arrays)
            seen.append(batch.tokens)
            yield batch

    objective = RunningText(stream.end_id)
    validation = Validation(batches, objective, stream.text_bytes, autocast=contextlib.nullcontext)
    return validation(Qwen3(shape).initialise(1), lambda: None), sum(seen)


@pytest.mark.parametrize("rows", [4, 16, 1000])
def test_the_batch_size_changes_nothing(stream: TokenStream, rows: int) -> None:
    one, count = figures(stream, 1)
    other, same_count = figures(stream, rows)
    assert count == same_count == len(stream)
    assert other.loss == pytest.approx(one.loss, rel=1e-6)
    assert other.bits_per_byte == pytest.approx(one.bits_per_byte, rel=1e-6)


def test_bits_per_byte_follow_from_the_loss_of_the_text(stream: TokenStream) -> None:
    found, count = figures(stream, 8)
    ends = stream.documents
    most = found.loss * count / math.log(2) / stream.text_bytes
    assert most * (1 - 2 * ends / count) < found.bits_per_byte < most


def test_the_random_state_and_the_mode_stay(stream: TokenStream) -> None:
    state = torch.get_rng_state()
    figures(stream, 8)
    assert torch.equal(torch.get_rng_state(), state)


def test_a_corpus_shorter_than_a_context_is_refused(trained: Path, lmcli) -> None:  # type: ignore[no-untyped-def]
    line = ("train", "--steps", 3, "--name", "other")
    done = lmcli(*line, "--context", 100_000)
    assert done.code == 3
    assert "fewer than one window of model.context = 100000 needs" in done.err
    done = lmcli(*line, "--context", 32, "--batch-tokens", 10_000_000)
    assert done.code == 3
    assert "train.batch_tokens = 10000000 is more than the" in done.err
