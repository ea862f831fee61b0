from __future__ import annotations

import math

import pytest
import torch.nn.functional as F

from lmcli.models.qwen3 import Qwen3
from tests.models import tiny
from tests.models.families import DecoderChecks


class TestQwen3(DecoderChecks):
    family = Qwen3
    kinds = {
        "tied": {},
        "untied-grouped": {"tie_embeddings": False, "kv_heads": 2},
        "tied-wide-heads": {"kv_heads": 1, "head_dim": 16, "rope_theta": 5e5, "norm_eps": 1e-5},
    }


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("width", [32, 384, 768])
def test_the_first_loss_is_that_of_guessing(tied: bool, width: int) -> None:
    vocab = 1000
    shape = tiny.shape(vocab_size=vocab, width=width, head_dim=width // 4, tie_embeddings=tied)
    model, tokens = Qwen3(shape).initialise(0), tiny.tokens(4, 32, vocab)
    loss = F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(vocab), abs=0.5)
