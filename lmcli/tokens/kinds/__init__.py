"""The kinds of tokenizer that `tokenizer.kind` can name."""

from __future__ import annotations

from lmcli.registry import Registry

KINDS = Registry(
    "tokenizer kind",
    {
        "bpe": "lmcli.tokens.kinds.bpe:train",
        "char": "lmcli.tokens.kinds.char:train",
    },
)
