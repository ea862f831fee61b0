from __future__ import annotations

from typing import Any

import pytest

from lmcli.errors import ArtifactError
from lmcli.models.llama import Llama
from tests.models.families import DecoderChecks


class TestLlama(DecoderChecks):
    family = Llama
    kinds = {
        "tied": {},
        "untied-grouped": {"tie_embeddings": False, "kv_heads": 2, "vocab_size": 259, "ffn": 50},
        "wide-heads": {"kv_heads": 1, "head_dim": 16, "rope_theta": 5e5, "norm_eps": 1e-5},
    }

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("attention_bias", True),
            ("mlp_bias", True),
            ("hidden_act", "gelu"),
            ("rope_scaling", {"rope_type": "linear", "factor": 2.0}),
            ("rope_parameters", {"rope_type": "yarn", "factor": 2.0}),
            ("num_attention_heads", 7),
        ],
    )
    def test_what_is_computed_otherwise_is_refused(self, kind: str, key: str, value: Any) -> None:
        config = Llama(self.shape(kind)).hf_config(end_id=0, pad_id=1, dtype="float32")
        with pytest.raises(ArtifactError, match=key):
            Llama.shape_from_hf({**config, key: value}, "config.json")
