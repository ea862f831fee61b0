"""Settings of the tokenizer and of the encoded corpus."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Le

from lmcli.config import Flag, section
from lmcli.corpus.config import ReadingConfig


@section
class TokenizerConfig:
    kind: Annotated[
        str,
        "bpe (byte-level, any language, loses nothing), unigram (byte-level too; pieces chosen by likelihood), "
        "char (each character of the corpus is a token), word (words and marks) or wordpiece (as BERT has them)",
        Flag(),
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
    pattern: Annotated[
        Literal["qwen2", "gpt2", "gpt4", "zh", "code"],
        "how bpe and unigram cut text before they join pieces: qwen2 (digits alone), gpt2 (numbers whole), gpt4 "
        "(digits in twos), zh (Chinese in pieces of at most 4 characters), code (indentation together, identifiers "
        "cut where the case changes)",
        Flag(),
    ] = "qwen2"
    min_frequency: Annotated[
        int, "how often a piece or word has to occur to become a token (not for char)", Flag(), Ge(1)
    ] = 2
    lowercase: Annotated[
        bool, "wordpiece: lower case, and letters without their accents, as in bert-uncased", Flag()
    ] = False
    special_tokens: Annotated[
        tuple[str, ...],
        "further special tokens, as <|im_start|>; their ids follow those of the end and pad tokens",
        Flag("--special-token"),
    ] = ()
    reserved: Annotated[
        int, "number of nameless special tokens, <|reserved_0|> and so on, for later use", Flag(), Ge(0), Le(65_536)
    ] = 0
    sentinels: Annotated[
        int,
        "number of tokens <extra_id_0> and so on, to stand for hidden spans (T5 has 100)",
        Flag(),
        Ge(0),
        Le(1000),
    ] = 0
    chat_template: Annotated[
        Literal["auto", "chatml", "plain", "none"],
        "how messages become text: chatml, plain (role and colon), none; auto is chatml where its tokens are special",
        Flag(),
    ] = "auto"
    source: Annotated[
        str,
        "take the tokenizer of this Hugging Face directory, imported model or tokenizer.json, instead of training one",
        Flag("--from"),
    ] = ""
    add_tokens: Annotated[
        str,
        "add the tokens in this file to the vocabulary, one a line (a space at its start belongs to the token); where "
        "a model exists, to a copy of it named grown",
        Flag(),
    ] = ""


@section
class GrowConfig:
    model: Annotated[str, "the model to grow: an artifact or a Hugging Face directory; empty is the default model"] = ""
    add_tokens: Annotated[str, "file of tokens to add, one a line"] = ""


@section
class TokensConfig(ReadingConfig):
    split: Annotated[
        Literal["auto", "hash", "tail"],
        "what is held out for validation: auto (documents, or blocks of few or very long ones, by hash), "
        "hash (whole documents), tail (the last tenth)",
        Flag(),
    ] = "auto"
    raw: Annotated[bool, "read the corpus itself, also where a cleaned one exists", Flag()] = False
    sentences: Annotated[bool, "also write where sentences end, for objectives that need them", Flag()] = False
