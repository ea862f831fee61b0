from __future__ import annotations

import subprocess
import sys

import pytest

from lmcli.config import decode, fields, parse
from lmcli.errors import ConfigError
from lmcli.tokens.config import TokenizerConfig, TokensConfig
from lmcli.tokens.kinds import KINDS


def test_listing_settings_and_kinds_imports_nothing_heavy() -> None:
    code = (
        "import sys, lmcli.tokens, lmcli.tokens.config, lmcli.tokens.kinds;"
        "print([m for m in ('numpy', 'tokenizers', 'tiktoken', 'torch', 'pydantic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_vocab_size_is_a_number_or_auto() -> None:
    assert decode(TokenizerConfig, {"vocab_size": 512}).vocab_size == 512
    assert decode(TokenizerConfig, {"vocab_size": "auto"}).vocab_size == "auto"
    assert decode(TokenizerConfig, {}).vocab_size == "auto"


@pytest.mark.parametrize("value", [0, -1, True, "big", 2.5, 10_000_000])
def test_impossible_vocab_sizes_are_refused(value: object) -> None:
    with pytest.raises(ConfigError, match="vocab_size"):
        decode(TokenizerConfig, {"vocab_size": value}, "tokenizer")


def test_vocab_size_from_a_flag() -> None:
    hint = fields(TokenizerConfig)["vocab_size"].hint
    assert parse(hint, "4096", "--vocab-size") == 4096
    assert parse(hint, "auto", "--vocab-size") == "auto"


def test_tokens_config_inherits_reading() -> None:
    config = decode(TokensConfig, {"split": "tail", "encoding": "gb18030"})
    assert (config.split, config.encoding, config.raw) == ("tail", "gb18030", False)


def test_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(ConfigError) as raised:
        KINDS.load("chars")
    assert "char" in (raised.value.hint or "")
