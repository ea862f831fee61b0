"""What lies beside the weights, read by transformers. Numbers are compared in families.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmcli.models.directory import save_model
from tests.models import tiny

transformers = pytest.importorskip("transformers")


def test_the_tokenizer_and_the_ids_come_along(tmp_path: Path) -> None:
    save_model(tiny.model(), tiny.tokenizer_directory(tmp_path / "t"), tmp_path / "m", card="")
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "m")
    assert tokenizer.decode(tokenizer("a 你 b")["input_ids"]) == "a 你 b"
    config = transformers.AutoConfig.from_pretrained(tmp_path / "m")
    assert (config.eos_token_id, config.pad_token_id) == (tokenizer.eos_token_id, tokenizer.pad_token_id) == (256, 257)
    generation = transformers.GenerationConfig.from_pretrained(tmp_path / "m")
    assert (generation.bos_token_id, generation.eos_token_id, generation.pad_token_id) == (256, 256, 257)
