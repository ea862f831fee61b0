from __future__ import annotations

from typing import Any

import pytest

from lmcli.errors import ArtifactError
from lmcli.models.llama import Llama
from lmcli.models.llama_files import LlamaShape
from lmcli.models.rotary import Stretch
from tests.models.families import SIZES, DecoderChecks


class TestLlama(DecoderChecks):
    family = Llama
    kinds = {
        "tied": {},
        "untied-grouped": {"tie_embeddings": False, "kv_heads": 2, "vocab_size": 259, "ffn": 50},
        "stretched": {"rope_theta": 100.0, "stretch": Stretch(8.0, 1.0, 4.0, 16)},
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


STRETCHED = {
    "rope_type": "llama3",
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 16,
}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"original_max_position_embeddings": None}, "original_max_position_embeddings = None"),
        ({"factor": -1.0}, "factor = -1.0"),
        ({"low_freq_factor": 4.0}, "rope_scaling is not possible"),
        ({"attention_factor": 2.0}, "rope_scaling = .* is not implemented"),
    ],
)
def test_a_stretch_that_is_not_whole_is_refused(changes: dict[str, Any], message: str) -> None:
    shape = LlamaShape(**SIZES, stretch=Stretch(8.0, 1.0, 4.0, 16))
    config = Llama(shape).hf_config(end_id=0, pad_id=1, dtype="float32")
    assert Llama.shape_from_hf(config, "config.json") == shape
    of_version_4 = {**config, "rope_scaling": STRETCHED, "rope_parameters": None}
    assert Llama.shape_from_hf(of_version_4, "config.json") == shape
    with pytest.raises(ArtifactError, match=message):
        Llama.shape_from_hf({**of_version_4, "rope_scaling": {**STRETCHED, **changes}}, "config.json")
