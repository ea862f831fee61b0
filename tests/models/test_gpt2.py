from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from lmcli.errors import ArtifactError
from lmcli.models.config import ModelConfig
from lmcli.models.directory import load_model
from lmcli.models.gpt2 import GPT2
from lmcli.models.sinusoids import sinusoids
from lmcli.models.weights import write_tensors
from tests.models.families import DecoderChecks

ODD = {"vocab_size": 259, "width": 33, "heads": 3, "kv_heads": 3, "head_dim": 11, "ffn": 50, "context": 29}


class TestGPT2(DecoderChecks):
    family = GPT2
    kinds = {"tied": {}, "untied-odd": {**ODD, "tie_embeddings": False}, "sinusoidal": {"positions": "sinusoidal"}}

    def test_positions_of_sines_are_never_trained(self, kind: str) -> None:
        named = dict(self.fresh(kind).named_parameters())
        assert ("positions" in named) == (kind != "sinusoidal")

    def test_an_old_checkpoint_without_prefix_and_with_masks_loads(self, theirs: Any, tmp_path: Path) -> None:
        theirs.base_model.save_pretrained(tmp_path / "old")
        tensors = dict(theirs.base_model.state_dict())
        tensors["h.0.attn.bias"] = torch.ones(1, 1, 32, 32)
        tensors["h.0.attn.masked_bias"] = torch.tensor(-1e4)
        if not theirs.config.tie_word_embeddings:
            tensors = {f"transformer.{name}": tensor for name, tensor in tensors.items()}
            tensors["lm_head.weight"] = theirs.lm_head.weight
        write_tensors(tmp_path / "old" / "model.safetensors", tensors)
        self.same(self.scores(load_model(tmp_path / "old")), self.their_output(theirs).logits)

    @pytest.mark.parametrize(
        ("key", "value"),
        [
            ("scale_attn_weights", False),
            ("scale_attn_by_inverse_layer_idx", True),
            ("activation_function", "gelu"),
            ("add_cross_attention", True),
            ("n_head", 5),
            ("n_layer", 10**6),
            ("tie_word_embeddings", "no"),
        ],
    )
    def test_what_is_computed_otherwise_is_refused(self, theirs: Any, key: str, value: Any, tmp_path: Path) -> None:
        config = json.loads((tmp_path / "m" / "config.json").read_text())
        with pytest.raises(ArtifactError, match=key):
            GPT2.shape_from_hf({**config, key: value}, "config.json")


def test_sines_and_cosines() -> None:
    table = sinusoids(4, 6)
    assert torch.allclose(table[3, 2], torch.tensor(3 / 10_000 ** (2 / 6)).sin())
    assert torch.allclose(table[3, 3], torch.tensor(3 / 10_000 ** (2 / 6)).cos())
    assert table[0].tolist() == [0, 1, 0, 1, 0, 1]


def test_the_sizes_of_the_paper() -> None:
    """117 M in the paper's table 2 by its authors' own later count: 124 M."""
    config = ModelConfig(family="gpt2", width=768, depth=12, heads=12, ffn=3072, context=1024, tie_embeddings=True)
    assert GPT2.shape_of(config, 50257).parameters == 124_439_808
