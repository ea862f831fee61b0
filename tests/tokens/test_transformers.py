"""The directory that is written loads in transformers with the same ids, beside a model's config.json too."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from lmcli.tokens.tokenizer import Tokenizer
from tests.tokens.test_tokenizer import SAMPLES

transformers = pytest.importorskip("transformers")


@pytest.fixture(params=[None, "qwen3", "gpt2"])
def theirs(request: pytest.FixtureRequest, either: Tokenizer, tmp_path: Path) -> Any:
    directory = shutil.copytree(either.path.parent, tmp_path / "model")
    if request.param is not None:
        (directory / "config.json").write_text(json.dumps({"model_type": request.param}))
    return transformers.AutoTokenizer.from_pretrained(directory)


def test_transformers_gives_the_same_ids_and_text(theirs: Any, either: Tokenizer, text: str) -> None:
    # Special tokens are recognised in text there, unlike here.
    samples = [sample.replace("<|", "< |") for sample in SAMPLES] + [text]
    for sample in samples:
        ids = either.encode(sample)
        assert theirs(sample)["input_ids"] == ids
        assert theirs.decode(ids) == either.decode(ids)
    assert (theirs.eos_token_id, theirs.pad_token_id) == (either.end_id, either.pad_id)
    assert len(theirs) == either.vocab_size
    assert list(theirs("a")) == ["input_ids", "attention_mask"]
