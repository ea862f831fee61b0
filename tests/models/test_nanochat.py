from __future__ import annotations

from typing import Any

import pytest
import torch

from lmcli.errors import ArtifactError
from lmcli.models.nanochat import NanoChat
from tests.models.families import DecoderChecks


class TestNanoChat(DecoderChecks):
    family = NanoChat
    kinds = {
        "untied": {"tie_embeddings": False},
        "tied-grouped": {"kv_heads": 2, "vocab_size": 259, "ffn": 50, "softcap": 12.0},
        "uncapped": {"kv_heads": 1, "rope_theta": 5e5, "norm_eps": 1e-5, "softcap": None},
    }

    def test_logits_are_capped(self, ours: NanoChat) -> None:
        cap = ours.shape.softcap
        with torch.no_grad():
            ours.embedding.mul_(100)
            if ours.head is not None:
                ours.head.mul_(100)
        largest = self.scores(ours).abs().max()
        assert largest > 50 if cap is None else largest <= cap

    @pytest.mark.parametrize(
        ("key", "value"),
        [("attention_bias", True), ("hidden_act", "gelu"), ("final_logit_softcapping", -1.0)],
    )
    def test_what_is_computed_otherwise_is_refused(self, kind: str, key: str, value: Any) -> None:
        config = NanoChat(self.shape(kind)).hf_config(end_id=0, pad_id=1, dtype="float32")
        with pytest.raises(ArtifactError, match=key):
            NanoChat.shape_from_hf({**config, key: value}, "config.json")
