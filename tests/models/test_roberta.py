from __future__ import annotations

from typing import ClassVar

import pytest
import torch

from lmcli.errors import ArtifactError
from lmcli.models.roberta import Roberta
from tests.models.families import EncoderChecks


class TestRoberta(EncoderChecks):
    family = Roberta
    kinds: ClassVar = {
        "plain": {},
        "odd": {"width": 24, "heads": 3, "kv_heads": 3, "ffn": 50, "context": 21, "padding": 5, "norm_eps": 1e-5},
    }


def test_padding_in_a_text_has_no_position() -> None:
    shape = Roberta.shape_type(vocab_size=9, width=8, depth=1, heads=2, kv_heads=2, head_dim=4, ffn=8, context=6)
    model = Roberta(shape).initialise(0)
    found = model._positions(torch.tensor([[4, 1, 5, 1, 1, 6]]))
    assert torch.equal(found[0], model.positions[[2, 1, 3, 1, 1, 4]])


@pytest.mark.parametrize("padding", [None, -1, 30, True])
def test_an_impossible_padding_token_is_refused(padding: object) -> None:
    shape = Roberta.shape_type(vocab_size=9, width=8, depth=1, heads=2, kv_heads=2, head_dim=4, ffn=8, context=6)
    config = Roberta(shape).hf_config(end_id=0, pad_id=0, dtype="float32")
    assert Roberta.shape_from_hf(config, "here") == shape
    with pytest.raises(ArtifactError, match="pad_token_id"):
        Roberta.shape_from_hf({**config, "pad_token_id": padding}, "here")
