from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from lmcli.errors import ArtifactError, ConfigError
from lmcli.models.config import ModelConfig
from lmcli.models.marian import Marian
from tests.models import tiny
from tests.models.families import EncoderDecoderChecks


class TestMarian(EncoderDecoderChecks):
    family = Marian
    kinds = {
        "tied": {"decoder_depth": 2},
        "swish": {"decoder_depth": 1, "activation": "swish", "scaled": False},
        "three-heads-gelu": {
            "decoder_depth": 2,
            "width": 33,
            "heads": 3,
            "kv_heads": 3,
            "head_dim": 11,
            "activation": "gelu",
        },
    }

    def fresh(self, kind: str, dropout: float = 0.0, **changes: Any) -> Any:
        """With a bias of the scores, as trained Marian models have one."""
        model = super().fresh(kind, dropout, **changes)
        model.score_bias.copy_(torch.linspace(-1, 1, model.shape.vocab_size))
        return model


def test_the_first_loss_is_about_that_of_guessing() -> None:
    vocab = 1000
    config = ModelConfig(
        family="marian", width=128, depth=2, heads=2, ffn=512, context=32, dropout=0.0, tie_embeddings=True
    )
    model, tokens = Marian(Marian.shape_of(config, vocab)).initialise(0), tiny.tokens(4, 32, vocab)
    loss = F.cross_entropy(model(tokens, tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())
    assert loss.item() == pytest.approx(math.log(vocab), abs=1.0)


def test_the_output_layer_is_always_the_embedding() -> None:
    config = ModelConfig(family="marian", width=8, depth=1, heads=2, ffn=8, context=8, tie_embeddings=False)
    with pytest.raises(ConfigError, match="tie_embeddings"):
        Marian.shape_of(config, 9)


def plain(**changes: Any) -> dict[str, Any]:
    sizes = {"vocab_size": 9, "width": 8, "depth": 1, "heads": 2, "kv_heads": 2, "head_dim": 4, "ffn": 8, "context": 8}
    model = Marian(Marian.shape_type(**sizes, decoder_depth=1))
    return {**model.hf_config(end_id=1, pad_id=0, dtype="float32"), **changes}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("activation_function", "tanh"),
        ("decoder_attention_heads", 4),
        ("decoder_ffn_dim", 16),
        ("encoder_attention_heads", 3),
        ("decoder_vocab_size", 10),
        ("share_encoder_decoder_embeddings", False),
        ("decoder_start_token_id", 5),
        ("normalize_before", True),
        ("normalize_embedding", True),
        ("static_position_embeddings", False),
        ("encoder_layers", 0),
        ("tie_word_embeddings", False),
        ("scale_embedding", 1),
    ],
)
def test_what_is_impossible_or_not_built_is_refused(key: str, value: Any) -> None:
    with pytest.raises(ArtifactError, match=r"config\.json"):
        Marian.shape_from_hf(
            plain(**{key: value, **({"decoder_attention_heads": 3} if value == 3 else {})}), "config.json"
        )
