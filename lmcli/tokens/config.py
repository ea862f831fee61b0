"""Settings of the tokenizer and of the encoded corpus."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Le

from lmcli.config import Flag, section
from lmcli.corpus.config import ReadingConfig


@section
class TokenizerConfig:
    kind: Annotated[
        str, "bpe (byte-level, any language, loses nothing) or char (each character of the corpus is a token)", Flag()
    ] = "bpe"
    vocab_size: Annotated[
        Literal["auto"] | Annotated[int, Ge(1), Le(1_000_000)],
        "number of tokens, special ones included; auto follows the size of the corpus",
        Flag(),
    ] = "auto"
    sample_bytes: Annotated[
        int,
        "train on a random sample of about this many bytes when the corpus is larger",
        Ge(1),
        Le(2_000_000_000),  # tokenizers counts pairs in 32 bits
    ] = 100_000_000


@section
class TokensConfig(ReadingConfig):
    split: Annotated[
        Literal["auto", "hash", "tail"],
        "what is held out for validation: auto (documents, or blocks of few or very long ones, by hash), "
        "hash (whole documents), tail (the last tenth)",
        Flag(),
    ] = "auto"
    raw: Annotated[bool, "read the corpus itself, also where a cleaned one exists", Flag()] = False
