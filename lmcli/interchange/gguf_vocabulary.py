"""A tokenizer as llama.cpp reads it from a GGUF file.

llama.cpp has its own code for each pre-tokenization pattern, chosen by a name ("pre"); a tokenizer that cuts text in
another way would give other ids there, so it is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lmcli.errors import ArtifactError
from lmcli.tokens import chat
from lmcli.tokens.patterns import PATTERNS
from lmcli.tokens.tokenizer import Tokenizer

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED = 1, 2, 3, 4, 5
"""llama.cpp's kinds of token (gguf.TokenType)."""

PRE = {"qwen2": "qwen2", "gpt2": "gpt-2"}
"""Our pattern -> llama.cpp's name for the same."""


@dataclass(frozen=True)
class Vocabulary:
    """`model` and `pre` are llama.cpp's names; there is a token and its kind for each row of the embedding."""

    model: str
    pre: str
    tokens: list[str]
    kinds: list[int]
    merges: list[str]
    end_id: int
    pad_id: int
    template: str | None


def vocabulary(tokenizer: Tokenizer, rows: int) -> Vocabulary:
    """The tokenizer for a model with so many embeddings. ArtifactError where llama.cpp would give other ids."""
    model, pre = _names(tokenizer)
    tokens = [f"[PAD{place}]" for place in range(rows)]
    kinds = [UNUSED] * rows
    special = tokenizer.special_ids
    added = {token["content"] for token in tokenizer.document.get("added_tokens") or []}
    for token, place in tokenizer.backend.get_vocab(with_added_tokens=True).items():
        tokens[place] = token
        kinds[place] = CONTROL if place in special else USER_DEFINED if token in added else NORMAL
    return Vocabulary(
        model,
        pre,
        tokens,
        kinds,
        _merges(tokenizer.document["model"]),
        tokenizer.end_id,
        tokenizer.pad_id,
        _template(tokenizer.path.parent),
    )


def _names(tokenizer: Tokenizer) -> tuple[str, str]:
    name = next((name for name, item in PATTERNS.items() if item.regex == tokenizer.pattern), None)
    if tokenizer.unit != "bytes" or name not in PRE:
        kind = f"the pattern {name}" if name else f"this kind of tokenizer ({_kind(tokenizer.document)})"
        hint = f"llama.cpp knows byte-level BPE with the patterns {', '.join(PRE)}; export hf, onnx or dir instead"
        raise ArtifactError(f"{tokenizer.path}: GGUF has no word for {kind}", hint)
    return "gpt2", PRE[name]


def _kind(document: Mapping[str, Any]) -> str:
    return str(document["model"].get("type", "BPE"))


def _merges(model: Mapping[str, Any]) -> list[str]:
    return [merge if isinstance(merge, str) else " ".join(merge) for merge in model.get("merges", [])]


def _template(directory: Path) -> str | None:
    path = directory / chat.FILE
    return path.read_text(encoding="utf-8") if path.is_file() else None
