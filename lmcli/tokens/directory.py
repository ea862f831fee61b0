"""A tokenizer as a directory that transformers loads with the same ids: tokenizer.json and what stands beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from lmcli.project import durable
from lmcli.tokens import chat

# A model family's own class (Qwen2Tokenizer) would add a normalizer. The length limit is how transformers says "none".
_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "add_bos_token": False,
    "add_prefix_space": False,
    "clean_up_tokenization_spaces": False,
    "model_input_names": ["input_ids", "attention_mask"],  # decoders refuse the default's token_type_ids
    "model_max_length": 10**30,
}


def write_tokenizer(
    out: Path,
    tokenizer: str,
    *,
    end: str,
    pad: str,
    template: str | None = None,
    more: Mapping[str, object] | None = None,
) -> None:
    """Write tokenizer.json and tokenizer_config.json below `out`, and the chat template if there is one.

    `more` are further keys of tokenizer_config.json, such as unk_token.
    """
    config = {**_CONFIG, "eos_token": end, "pad_token": pad, **(more or {})}
    durable.mkdir(out)
    durable.write(out / "tokenizer.json", tokenizer.rstrip("\n") + "\n")
    durable.write(out / "tokenizer_config.json", json.dumps(config, indent=2, sort_keys=True) + "\n")
    if template is not None:
        durable.write(out / chat.FILE, template)
