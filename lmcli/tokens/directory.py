"""A tokenizer as a directory that transformers loads with the same ids: tokenizer.json and what stands beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from lmcli.project import durable
from lmcli.tokens import chat, roles

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

    `more` are further keys of tokenizer_config.json, such as unk_token. A tokenizer with the tokens that encoders need
    is said to put them around each text; only those who ask for special tokens get them.
    """
    document = json.loads(tokenizer)
    named = roles.named(document, more or {})
    config = {**_CONFIG, "eos_token": end, "pad_token": pad, **named, **(more or {})}
    if named.keys() == roles.ALL:
        tokenizer = json.dumps(roles.framed(document, named), indent=2, ensure_ascii=False)
    durable.mkdir(out)
    durable.write(out / "tokenizer.json", tokenizer.rstrip("\n") + "\n")
    durable.write(out / "tokenizer_config.json", json.dumps(config, indent=2, sort_keys=True) + "\n")
    if template is not None:
        durable.write(out / chat.FILE, template)
