from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import pytest

from lmcli.progress import Silent
from lmcli.tokens.config import TokenizerConfig
from lmcli.tokens.tokenizer import Tokenizer
from lmcli.tokens.training import train_tokenizer


def corpus(characters: int = 60_000) -> str:
    return "\n\n".join(topics[name] for name in sorted(topics))[:characters]


class Heard(Silent):
    """Progress that remembers what was said."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)

    def warn(self, message: str) -> None:
        self.warned.append(message)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture(scope="session")
def text() -> str:
    return corpus()


def trained(
    texts: Iterable[str], out: Path, kind: str = "bpe", vocab_size: int | str = "auto", **settings: Any
) -> Tokenizer:
    texts = list(texts)
    config = TokenizerConfig(kind=kind, vocab_size=vocab_size, **settings)
    train_tokenizer(texts, sum(len(text.encode()) for text in texts), config, out, Silent())
    return Tokenizer.load(out)


@pytest.fixture(scope="session")
def bpe(tmp_path_factory: pytest.TempPathFactory, text: str) -> Tokenizer:
    return trained([text], tmp_path_factory.mktemp("bpe"))


@pytest.fixture(scope="session")
def char(tmp_path_factory: pytest.TempPathFactory, text: str) -> Tokenizer:
    return trained([text, "é中\r"], tmp_path_factory.mktemp("char"), kind="char")


@pytest.fixture(scope="session", params=["bpe", "char"])
def either(request: pytest.FixtureRequest) -> Tokenizer:
    tokenizer: Tokenizer = request.getfixturevalue(request.param)
    return tokenizer
