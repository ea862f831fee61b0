"""A model directory with a tokenizer that llama.cpp knows, small enough to make in a test."""

from __future__ import annotations

from pathlib import Path

import pytest

from lmcli.interchange.source import Source
from lmcli.models.directory import save_model
from tests.models import tiny
from tests.texts import sentences
from tests.tokens.conftest import trained

TEXT = sentences(30) + "In 1987 it cost 12,5 francs\tor so... \u4f60\u597d, caf\u00e9!\n\n  Isn't it?\n"
SPARE = 5
"""Rows of the embedding that stand for no token."""


@pytest.fixture(scope="session")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A qwen3 model with grouped heads of another width than their share; tests don't write into it."""
    home = tmp_path_factory.mktemp("interchange")
    tokenizer = trained([TEXT], home / "tokenizer", vocab_size=300, special_tokens=("<|im_start|>", "<|im_end|>"))
    model = tiny.model(vocab_size=tokenizer.vocab_size + SPARE, kv_heads=2, head_dim=16, context=48)
    save_model(model, home / "tokenizer", home / "model", card="# A model\n")
    return home / "model"


@pytest.fixture
def source(directory: Path) -> Source:
    return Source.load("story", directory, TEXT, card="# A card\n", papers={"manifest.json": "{}\n"})
