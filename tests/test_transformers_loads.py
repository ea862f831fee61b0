"""A model that the commands made loads in transformers as it lies there, and computes and reads the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lmcli.models.directory import load_model
from lmcli.tokens.tokenizer import Tokenizer
from tests.conftest import Lmcli

transformers = pytest.importorskip("transformers")

TEXTS = [
    "The cat saw a red hat in the morning.\n",
    "0 1 12 123 1234 12345 3.14159 1,000,000 \u0661\u0662\u0663",
    "one\ntwo\r\n\n\nthree\r \t four  five   \n   ",
    "cafe\u0301 nai\u0308ve \u1e9b\u0323 A\u030a \u212b",
    "\u4f60\u597d\uff0c\u4e16\u754c\u3002\u6c49\u5b57\u6ca1\u6709\u7a7a\u683c",
    "\U0001f600 \U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea \u2764\ufe0f",
    "\u0378 \U000e0fff \U0001fae9 \U0002ebf0 \u1c89",  # unassigned, or assigned of late
    "it's they'll WE'VE don\u2019t <|endoftext|> </s> <pad> [UNK]",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35 \u0627\u0644\u0633\u0644\u0627\u0645",
    "\ud55c\uad6d\uc5b4 \u0939\u093f\u0928\u094d\u0926\u0940",
    "",
    " ",
    "\x00\x01\x7f\u200b\ufeff\u2028",
]


@pytest.fixture
def place(lmcli: Lmcli, trained: Path) -> Path:
    return Path(lmcli("path", "model").out.strip())


@pytest.mark.filterwarnings("default")
def test_logits_agree(place: Path) -> None:
    theirs = transformers.AutoModelForCausalLM.from_pretrained(place, trust_remote_code=False)
    assert type(theirs).__name__ == "Qwen3ForCausalLM"
    ours = load_model(place)
    ids = torch.tensor([Tokenizer.load(place).encode(TEXTS[0] * 3)])
    assert ids.shape[1] > 8
    with torch.no_grad():
        expected = theirs.eval()(ids).logits
        found = ours.logits(ours.hidden(ids))
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < 1e-4
    assert expected.std() > 0.05  # no model of zeros


@pytest.mark.filterwarnings("default")
def test_ids_agree(place: Path) -> None:
    theirs, ours = transformers.AutoTokenizer.from_pretrained(place), Tokenizer.load(place)
    assert len(theirs) == ours.vocab_size
    for text in TEXTS:
        ids = ours.encode(text)
        found = theirs(text, add_special_tokens=False, split_special_tokens=True)["input_ids"]
        assert found == ids, text
        assert ours.decode(ids) == text
        assert theirs.decode(ids, clean_up_tokenization_spaces=False) == text


@pytest.mark.filterwarnings("default")
def test_greedy_texts_agree(lmcli: Lmcli, place: Path) -> None:
    theirs = transformers.AutoModelForCausalLM.from_pretrained(place)
    tokenizer = transformers.AutoTokenizer.from_pretrained(place)
    ids = tokenizer("The cat", return_tensors="pt")
    written = theirs.generate(**ids, max_new_tokens=8, do_sample=False)
    text = tokenizer.decode(written[0], skip_special_tokens=True)
    ours = lmcli("generate", "The cat", "--greedy", "--max-tokens", 8).out
    assert ours.removesuffix("\n") == text
