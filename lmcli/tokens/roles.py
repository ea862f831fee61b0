"""Special tokens that encoders need: one before a text, one behind it, and one that hides a token."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lmcli.tokens.special import ROLES

ALL = ROLES.keys()


def named(document: Mapping[str, Any], stated: Mapping[str, Any]) -> dict[str, str]:
    """Role -> its token in the tokenizer.json `document`: as `stated`, else the first known name that is special.

    The keys are those of tokenizer_config.json: cls_token, sep_token, mask_token.
    """
    special = {token["content"] for token in document.get("added_tokens") or [] if token.get("special")}
    found: dict[str, str] = {}
    for role, names in ROLES.items():
        told = stated.get(role)
        content = told.get("content") if isinstance(told, dict) else told
        token = next((name for name in (content, *names) if name in special), None)
        if token is not None:
            found[role] = token
    return found


def framed(document: Mapping[str, Any], named: Mapping[str, str]) -> dict[str, Any]:
    """The document with a post-processor that puts the tokens around texts, where it has all three.

    A tokenizer that has only the first two may as well be one for decoders, as Llama's, whose texts stay as they are.
    """
    if named.keys() != ALL:
        return dict(document)
    cls, sep = named["cls_token"], named["sep_token"]
    ids = {token["content"]: token["id"] for token in document["added_tokens"]}
    first, second = {"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}
    pair = [_put(cls), first, _put(sep), second, _put(sep, 1)]
    if cls == ROLES["cls_token"][1]:  # RoBERTa has no segments and two tokens between texts
        pair = [_put(cls), first, _put(sep), _put(sep), {"Sequence": {"id": "B", "type_id": 0}}, _put(sep)]
    processor = {
        "type": "TemplateProcessing",
        "single": [_put(cls), first, _put(sep)],
        "pair": pair,
        "special_tokens": {token: {"id": token, "ids": [ids[token]], "tokens": [token]} for token in (cls, sep)},
    }
    return {**document, "post_processor": processor}


def _put(token: str, segment: int = 0) -> dict[str, Any]:
    return {"SpecialToken": {"id": token, "type_id": segment}}
