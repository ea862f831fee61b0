from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from lmcli.errors import ArtifactError
from lmcli.models.bert import Bert
from lmcli.models.directory import load_model
from lmcli.models.weights import write_tensors
from tests.models.families import EncoderChecks, noisy

ODD = {"vocab_size": 261, "width": 24, "heads": 3, "kv_heads": 3, "ffn": 50, "context": 21, "norm_eps": 1e-6}


class TestBert(EncoderChecks):
    family = Bert
    theirs_class = "AutoModelForPreTraining"
    kinds: ClassVar = {"plain": {}, "odd": {**ODD, "types": 3}}

    def their_output(self, theirs: Any) -> Any:
        found = theirs(self.tokens, attention_mask=self.real.long())
        logits = found.prediction_logits
        loss = F.cross_entropy(logits.flatten(0, 1), self.targets().flatten())
        return SimpleNamespace(logits=logits, loss=loss)

    def test_segments_and_pairs_agree(self, ours: Bert, theirs: Any) -> None:
        types, labels = (torch.arange(20) > torch.tensor([9, 4, 0])[:, None]).long(), torch.tensor([1, 0, 1])
        hidden = ours.hidden(self.tokens, self.real, types)
        found = theirs(self.tokens, attention_mask=self.real.long(), token_type_ids=types)
        torch.testing.assert_close(ours.pair_logits(hidden), found.seq_relationship_logits, atol=1e-4, rtol=1e-4)
        self.same(ours.logits(hidden), found.prediction_logits)
        F.cross_entropy(ours.pair_logits(hidden), labels).backward()
        F.cross_entropy(found.seq_relationship_logits, labels).backward()
        expected = theirs.bert.embeddings.token_type_embeddings.weight.grad
        torch.testing.assert_close(ours.types.grad, expected, atol=1e-5, rtol=1e-3)

    @pytest.mark.parametrize("head", ["BertForMaskedLM", "BertForNextSentencePrediction"])
    def test_other_heads_load(self, theirs: Any, head: str, tmp_path: Path) -> None:
        transformers = pytest.importorskip("transformers")
        other = noisy(getattr(transformers, head)(theirs.config)).eval()
        other.save_pretrained(tmp_path / "other")
        loaded = load_model(tmp_path / "other")
        self.same(self.states(loaded), self.their_states(other.bert))
        if head == "BertForMaskedLM":
            self.same(self.scores(loaded), other(self.tokens, attention_mask=self.real.long()).logits)

    def test_names_of_older_writers(self, theirs: Any, tmp_path: Path) -> None:
        theirs.save_pretrained(tmp_path / "old")
        tensors: dict[str, Tensor] = {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
            for name, tensor in theirs.state_dict().items()
        }
        tensors["bert.embeddings.position_ids"] = torch.arange(theirs.config.max_position_embeddings)[None].float()
        write_tensors(tmp_path / "old" / "model.safetensors", tensors)
        self.same(self.scores(load_model(tmp_path / "old")), self.their_output(theirs).logits)


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_act": "gelu_new"},
        {"position_embedding_type": "relative_key"},
        {"is_decoder": True},
        {"tie_word_embeddings": False},
        {"num_hidden_layers": 10**9},
        {"num_attention_heads": 5},
        {"hidden_size": 0},
        {"pruned_heads": {"0": [1]}},
    ],
)
def test_what_would_compute_something_else_is_refused(changes: dict[str, Any]) -> None:
    shape = Bert.shape_type(**{**ODD, "depth": 1, "head_dim": 8})
    config = Bert(shape).hf_config(end_id=0, pad_id=0, dtype="float32")
    assert Bert.shape_from_hf(config, "here") == shape
    with pytest.raises(ArtifactError, match=next(iter(changes))):
        Bert.shape_from_hf({**config, **changes}, "here")
