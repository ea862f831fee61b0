from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from lmcli.errors import ArtifactError
from lmcli.models.config import ModelConfig
from lmcli.models.relative import bucket_of
from lmcli.models.t5 import T5
from tests.models import tiny
from tests.models.families import EncoderDecoderChecks


class TestT5(EncoderDecoderChecks):
    family = T5
    rounding = 0.25  # without a scale, attention is sharp
    kinds = {
        "tied": {"decoder_depth": 2},
        "gated-wide-heads": {"decoder_depth": 1, "gated": True, "head_dim": 16, "buckets": 8, "farthest": 12},
    }

    def body(self, theirs: Any) -> Any:
        """Transformers calls the whole T5 its own base model."""
        body = pytest.importorskip("transformers").T5Model(theirs.config).eval()
        body.load_state_dict(theirs.state_dict(), strict=False)
        return body


class TestT5WithAHeadOfItsOwn(EncoderDecoderChecks):
    family = T5
    rounding = 0.25
    kinds = {"untied": {"depth": 3, "decoder_depth": 2, "gated": True, "tie_embeddings": False, "norm_eps": 1e-5}}
    may_say = "so we will NOT tie them"
    bodies = False


@pytest.mark.parametrize("both", [True, False])
@pytest.mark.parametrize(("buckets", "farthest"), [(32, 128), (8, 12), (16, 1000)])
def test_buckets_are_those_of_transformers(both: bool, buckets: int, farthest: int) -> None:
    theirs = pytest.importorskip("transformers.models.t5.modeling_t5").T5Attention
    distances = torch.arange(-3000, 3000)
    expected = theirs._relative_position_bucket(distances, both, buckets, farthest)
    assert torch.equal(bucket_of(distances, buckets, farthest, both=both), expected)


@pytest.mark.parametrize("tied", [True, False])
def test_the_first_loss_is_about_that_of_guessing(tied: bool) -> None:
    vocab = 1000
    config = ModelConfig(
        family="t5", width=128, depth=2, heads=2, ffn=512, context=32, dropout=0.0, tie_embeddings=tied
    )
    model, tokens = T5(T5.shape_of(config, vocab)).initialise(0), tiny.tokens(4, 32, vocab)
    loss = F.cross_entropy(model(tokens, tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(vocab), abs=1.0)


def plain(**changes: Any) -> dict[str, Any]:
    model = T5(
        T5.shape_type(
            vocab_size=9, width=8, depth=1, heads=2, kv_heads=2, head_dim=4, ffn=8, context=8, decoder_depth=1
        )
    )
    return {**model.hf_config(end_id=1, pad_id=0, dtype="float32"), **changes}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("feed_forward_proj", "gated-silu"),
        ("feed_forward_proj", "gelu"),
        ("decoder_start_token_id", 5),
        ("is_decoder", True),
        ("scale_decoder_outputs", 1),
        ("num_layers", 0),
        ("num_decoder_layers", 5000),
        ("relative_attention_num_buckets", 2),
        ("relative_attention_max_distance", 16),
        ("d_kv", "4"),
        ("tie_word_embeddings", "yes"),
    ],
)
def test_what_is_impossible_or_not_built_is_refused(key: str, value: Any) -> None:
    with pytest.raises(ArtifactError, match=r"config\.json"):
        T5.shape_from_hf(plain(**{key: value}), "config.json")


def test_a_head_of_its_own_as_transformers_5_writes_it() -> None:
    shape = T5.shape_from_hf(plain(tie_word_embeddings=True, scale_decoder_outputs=False), "config.json")
    assert not shape.tie_embeddings
    with pytest.raises(ArtifactError):
        T5.shape_from_hf(plain(tie_word_embeddings=False, scale_decoder_outputs=True), "config.json")
