"""A tokenizer as llama.cpp reads it from a GGUF file.

llama.cpp has code of its own for each way of cutting text: a tokenizer that cuts in another way would give other ids
there, so it is refused. It knows byte-level BPE, where a name ("pre") stands for the pattern, and WordPiece as in the
uncased models of BERT.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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

_WORD_START = "\N{LOWER ONE EIGHTH BLOCK}"
_INSIDE = "##"


@dataclass(frozen=True)
class Vocabulary:
    """`model` and `pre` are llama.cpp's names; there is a token and its kind for each row of the embedding.

    `special` has the ids of tokens with a role, `framed` tells whether two of them stand around each text, `segments`
    is the number of segments that a model tells apart, 0 where there are none.
    """

    model: str
    pre: str
    tokens: list[str]
    kinds: list[int]
    special: Mapping[str, int]
    merges: list[str] = field(default_factory=list)
    framed: bool = False
    segments: int = 0
    template: str | None = None


def vocabulary(tokenizer: Tokenizer, rows: int, segments: int = 0) -> Vocabulary:
    """The tokenizer for a model with so many embeddings. ArtifactError where llama.cpp would give other ids."""
    if tokenizer.document["model"].get("type") == "WordPiece":
        _check_word_pieces(tokenizer)
        tokens, kinds = _tokens(tokenizer, rows, _as_word)
        return Vocabulary("bert", "default", tokens, kinds, _framing(tokenizer), framed=True, segments=segments)
    pre = _pattern(tokenizer)
    tokens, kinds = _tokens(tokenizer, rows, str)
    special = {"bos": tokenizer.end_id, "eos": tokenizer.end_id, "padding": tokenizer.pad_id, **_fill_in(tokenizer)}
    merges, template = _merges(tokenizer.document["model"]), _template(tokenizer.path.parent)
    return Vocabulary("gpt2", pre, tokens, kinds, special, merges, segments=segments, template=template)


def _tokens(tokenizer: Tokenizer, rows: int, spelled: Callable[[str], str]) -> tuple[list[str], list[int]]:
    """Each row's token and kind; rows without a token get a name that no text has."""
    tokens, kinds = [f"[PAD{place}]" for place in range(rows)], [UNUSED] * rows
    special = tokenizer.special_ids
    added = {token["content"] for token in tokenizer.document.get("added_tokens") or []}
    for token, place in tokenizer.backend.get_vocab(with_added_tokens=True).items():
        tokens[place] = token if token in added else spelled(token)
        kinds[place] = CONTROL if place in special else USER_DEFINED if token in added else NORMAL
    return tokens, kinds


def _pattern(tokenizer: Tokenizer) -> str:
    name = next((name for name, item in PATTERNS.items() if item.regex == tokenizer.pattern), None)
    if tokenizer.unit != "bytes" or name not in PRE:
        kind = f"a tokenizer of this kind ({tokenizer.document['model'].get('type', 'BPE')})"
        raise _refusal(tokenizer, f"the pattern {name}" if tokenizer.unit == "bytes" and name else kind)
    return PRE[name]


def _refusal(tokenizer: Tokenizer, what: str) -> ArtifactError:
    known = f"byte-level BPE with the patterns {', '.join(PRE)}, and WordPiece without capitals"
    return ArtifactError(
        f"{tokenizer.path}: llama.cpp has no word for {what}", f"it knows {known}; export hf, onnx or dir instead"
    )


def _fill_in(tokenizer: Tokenizer) -> dict[str, int]:
    """The tokens between the parts of a text whose middle is to be filled in."""
    ids, special = tokenizer.backend.get_vocab(with_added_tokens=True), tokenizer.special_ids
    names = {"fim_pre": "<|fim_prefix|>", "fim_suf": "<|fim_suffix|>", "fim_mid": "<|fim_middle|>"}
    return {key: ids[name] for key, name in names.items() if ids.get(name) in special}


def _merges(model: Mapping[str, Any]) -> list[str]:
    return [merge if isinstance(merge, str) else " ".join(merge) for merge in model.get("merges", [])]


def _template(directory: Path) -> str | None:
    path = directory / chat.FILE
    return path.read_text(encoding="utf-8") if path.is_file() else None


def _check_word_pieces(tokenizer: Tokenizer) -> None:
    """llama.cpp always takes capitals and accents away, as BERT's uncased models do."""
    document = tokenizer.document
    normalizer = document.get("normalizer") or {}
    plain = normalizer.get("type") == "BertNormalizer" and normalizer.get("lowercase") is True
    plain = plain and normalizer.get("strip_accents") in (None, True) and normalizer.get("clean_text") is True
    if not plain or normalizer.get("handle_chinese_chars") is not True:
        raise _refusal(tokenizer, "WordPiece with capitals or accents")
    cuts = (document.get("pre_tokenizer") or {}).get("type")
    if cuts != "BertPreTokenizer" or document["model"].get("continuing_subword_prefix") != _INSIDE:
        raise _refusal(tokenizer, "WordPiece that is not BERT's")


def _as_word(token: str) -> str:
    """llama.cpp marks pieces that begin a word; BERT marks those that don't."""
    return token.removeprefix(_INSIDE) if token.startswith(_INSIDE) else _WORD_START + token


def _framing(tokenizer: Tokenizer) -> dict[str, int]:
    """BERT's tokens with a role under llama.cpp's names; the end token where one is missing."""
    roles, end = tokenizer.roles, tokenizer.end_id
    first, last = roles.get("cls_token", end), roles.get("sep_token", end)
    found = {"bos": first, "eos": last, "seperator": last, "padding": tokenizer.pad_id}  # spelled so in the format
    unknown = {"unknown": tokenizer.unknown_id} if tokenizer.unknown_id is not None else {}
    return {**found, **unknown, **({"mask": roles["mask_token"]} if "mask_token" in roles else {})}
