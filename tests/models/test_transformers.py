"""Our decoder against the one of transformers: same files, same numbers."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from lmcli.models.directory import hf_tensors, load_model, save_model
from tests.models import tiny

transformers = pytest.importorskip("transformers")

KINDS = [
    {"tie_embeddings": True},
    {"tie_embeddings": False, "kv_heads": 2},
    {"tie_embeddings": True, "kv_heads": 1, "head_dim": 16, "rope_theta": 5e5, "norm_eps": 1e-5},
]


@pytest.fixture(params=KINDS, ids=["tied", "untied-grouped", "tied-wide-heads"])
def pair(request: pytest.FixtureRequest, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> tuple[Any, Any]:
    """Ours, and theirs loaded from the directory that ours was saved to, which must go without a word."""
    transformers.logging.enable_propagation()
    ours = tiny.model(**request.param)
    save_model(ours, tiny.tokenizer_directory(tmp_path / "t"), tmp_path / "m", card="")
    with warnings.catch_warnings(record=True) as said:
        theirs, report = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "m", output_loading_info=True)
    transformers.logging.disable_propagation()
    assert not [str(warning.message) for warning in said] + [record.getMessage() for record in caplog.records]
    assert not any(report.values()), report
    return ours, theirs.eval()


def test_scores_loss_and_gradients_agree(pair: tuple[Any, Any]) -> None:
    ours, theirs = pair
    tokens = tiny.tokens(3, 32)
    scores = ours(tokens)
    assert torch.allclose(scores, theirs(tokens).logits, atol=1e-4)
    loss = F.cross_entropy(scores[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
    expected = theirs(tokens, labels=tokens).loss
    assert loss.item() == pytest.approx(expected.item(), abs=1e-5)
    loss.backward()
    expected.backward()
    grads = dict(theirs.named_parameters())
    for parameter in ours.parameters():  # hf_tensors then splits the gradients as it splits the weights
        parameter.data = parameter.grad
    for name, gradient in hf_tensors(ours).items():
        assert torch.allclose(gradient, grads[name].grad, atol=1e-5, rtol=1e-3), name


def test_their_random_weights_load_here(pair: tuple[Any, Any], tmp_path: Path) -> None:
    torch.manual_seed(3)
    theirs = type(pair[1])(pair[1].config).eval()
    theirs.save_pretrained(tmp_path / "theirs")
    tokens = tiny.tokens(2, 20)
    assert torch.allclose(load_model(tmp_path / "theirs")(tokens), theirs(tokens).logits, atol=1e-4)


def test_padding_on_the_left_means_the_same(pair: tuple[Any, Any]) -> None:
    ours, theirs = pair
    tokens, padding = tiny.tokens(2, 10), torch.tensor([0, 4])
    mask = (torch.arange(10) >= padding[:, None]).long()
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    expected = theirs(tokens, attention_mask=mask, position_ids=positions).logits
    found = ours.logits(ours.hidden(tokens, padding_b=padding))
    assert torch.allclose(found[0], expected[0], atol=1e-4)
    assert torch.allclose(found[1, 4:], expected[1, 4:], atol=1e-4)


def test_the_tokenizer_and_the_ids_come_along(tmp_path: Path) -> None:
    save_model(tiny.model(), tiny.tokenizer_directory(tmp_path / "t"), tmp_path / "m", card="")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "m")
    assert tokenizer.decode(tokenizer("a 你 b")["input_ids"]) == "a 你 b"
    config = transformers.AutoConfig.from_pretrained(tmp_path / "m")
    assert (config.eos_token_id, config.pad_token_id) == (tokenizer.eos_token_id, tokenizer.pad_token_id) == (256, 257)
    generation = transformers.GenerationConfig.from_pretrained(tmp_path / "m")
    assert (generation.bos_token_id, generation.eos_token_id, generation.pad_token_id) == (256, 256, 257)
