"""A model with more tokens computes for the old ones what it did before."""

from __future__ import annotations

import pytest
import torch

from lmcli.errors import ArtifactError
from lmcli.models.growing import grow_model
from tests.models.tiny import model as tiny

SPELLED = [[3, 4], [5, 6, 7]]


@pytest.mark.parametrize("tied", [True, False])
def test_new_rows_are_means_and_old_logits_stay(tied: bool) -> None:
    model = tiny(tie_embeddings=tied)
    old = model.shape.vocab_size
    grown = grow_model(model, old, SPELLED)
    assert grown.shape.vocab_size == old + 2
    assert (grown.head is None) == tied
    for table, before in ((grown.embedding, model.embedding), (grown.output.weight, model.output.weight)):
        assert torch.equal(table[:old], before)
        assert torch.equal(table[old + 1], before[[5, 6, 7]].mean(dim=0))
    ids = torch.arange(12).reshape(2, 6)
    with torch.no_grad():
        found, expected = grown(ids), model.eval()(ids)
    assert torch.allclose(found[..., :old], expected, atol=1e-6)
    assert torch.equal(found.argmax(-1), expected.argmax(-1))
    assert (found[..., old] <= found[..., [3, 4]].max(-1).values + 1e-6).all()


def test_padding_of_the_table_is_used_up_first() -> None:
    model = tiny()
    old = model.shape.vocab_size
    grown = grow_model(model, old - 1, SPELLED)
    assert grown.shape.vocab_size == old + 1
    assert torch.equal(grown.embedding[old - 1], model.embedding[[3, 4]].mean(dim=0))
    assert torch.equal(grown.embedding[old], model.embedding[[5, 6, 7]].mean(dim=0))
    inside = grow_model(model, old - 5, SPELLED)
    assert inside.shape == model.shape


def test_a_tokenizer_with_more_tokens_than_the_model_is_refused() -> None:
    model = tiny()
    with pytest.raises(ArtifactError, match="in the model"):
        grow_model(model, model.shape.vocab_size + 1, SPELLED)
