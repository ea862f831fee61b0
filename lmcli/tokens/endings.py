"""Which tokens of a Hugging Face directory end a document and fill a batch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmcli.errors import ArtifactError
from lmcli.tokens.special import END

COMMON_ENDS = (END, "</s>", "<|end_of_text|>", "<eos>", "<|im_end|>", "<|eot_id|>", "[SEP]")


def end(directory: Path, ids: Mapping[str, int]) -> str | None:
    """The token that ends a document: as the tokenizer's files state it, then by id in the model's, then by name."""
    named = stated(directory, "eos_token") or _by_id(directory, "eos_token_id", ids)
    return named or stated(directory, "sep_token") or next((name for name in COMMON_ENDS if name in ids), None)


def pad(directory: Path, ids: Mapping[str, int]) -> str | None:
    """The padding token, or None when there is none."""
    return stated(directory, "pad_token") or _by_id(directory, "pad_token_id", ids)


def stated(directory: Path, key: str) -> str | None:
    """The token that the tokenizer's own files give for `key`, such as unk_token."""
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        value = read(directory / name).get(key)
        content = value.get("content") if isinstance(value, dict) else value
        if isinstance(content, str) and content:
            return content
    return None


def _by_id(directory: Path, key: str, ids: Mapping[str, int]) -> str | None:
    for name in ("generation_config.json", "config.json"):
        value = read(directory / name).get(key)
        first = value[0] if isinstance(value, list) and value else value
        if type(first) is int:
            return next((token for token, place in ids.items() if place == first), None)
    return None


def read(path: Path) -> dict[str, Any]:
    """A JSON object; an absent file says nothing."""
    try:
        document = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ArtifactError(f"{path} is damaged: it holds no JSON object", "copy the file again")
    return document
