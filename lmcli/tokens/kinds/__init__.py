"""The kinds of tokenizer that `tokenizer.kind` can name."""

from __future__ import annotations

from lmcli.registry import Registry

KINDS = Registry(
    "tokenizer kind",
    {
        "bpe": "lmcli.tokens.kinds.bpe:train",
        "unigram": "lmcli.tokens.kinds.unigram:train",
        "char": "lmcli.tokens.kinds.char:train",
        "word": "lmcli.tokens.kinds.word:train",
        "wordpiece": "lmcli.tokens.kinds.wordpiece:train",
    },
)
