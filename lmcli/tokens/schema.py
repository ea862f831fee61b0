"""Reads a tokenizer.json of any origin: whatever makes the Rust code panic later is refused or dropped here."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Iterator
from typing import Any

MODELS = ("BPE", "WordLevel", "WordPiece", "Unigram")
LARGEST_ID = 10_000_000


def parse(data: bytes) -> dict[str, Any]:
    """The JSON document, checked, without what could change or break the encoding of plain text.

    Truncation, padding, the post-processor (which adds special tokens) and dropout are not used here, so they are taken
    out. Raises ValueError with a reason for anything that is no tokenizer.
    """
    try:
        document = json.loads(data, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(document, dict):
        raise ValueError("no JSON object")
    model = document.get("model")
    if not isinstance(model, dict):
        raise ValueError("no model in it")
    _check_model(model)
    _check_added_tokens(document.get("added_tokens") or [])
    for part in ("normalizer", "pre_tokenizer", "decoder"):
        for component in _components(document.get(part)):
            _check_component(component)
    kept = {key: value for key, value in model.items() if key != "dropout"}
    return {**document, "truncation": None, "padding": None, "post_processor": None, "model": kept}


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number")


def _is_id(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < LARGEST_ID


def _check_model(model: dict[str, Any]) -> None:
    if model.get("type", MODELS[0]) not in MODELS:
        raise ValueError(f"unknown model type {model['type']!r:.60}")
    vocab = model.get("vocab")
    if isinstance(vocab, list):
        _check_scored_vocab(vocab, model.get("unk_id"))
    elif isinstance(vocab, dict):
        _check_vocab(vocab)
        _check_merges(model.get("merges", []), vocab, model.get("continuing_subword_prefix") or "")
    if not vocab:
        raise ValueError("no vocabulary in it")


def _check_vocab(vocab: dict[str, Any]) -> None:
    wrong = next((token for token, place in vocab.items() if not _is_id(place)), None)
    if wrong is not None:
        raise ValueError(f"the token {wrong!r:.60} has an impossible id")
    if len(set(vocab.values())) < len(vocab):
        raise ValueError("two tokens have the same id")


def _check_scored_vocab(vocab: list[Any], unknown: Any) -> None:
    for entry in vocab:
        sound = isinstance(entry, list) and len(entry) == 2 and isinstance(entry[0], str)
        if not sound or isinstance(entry[1], bool) or not isinstance(entry[1], int | float):
            raise ValueError(f"vocabulary entry {entry!r:.60} is no token with a score")
    if unknown is not None and not (_is_id(unknown) and unknown < len(vocab)):
        raise ValueError("the unknown token is out of range")


def _check_merges(merges: Any, vocab: dict[str, Any], prefix: Any) -> None:
    if not isinstance(merges, list) or not isinstance(prefix, str):
        raise ValueError("merges are no list of pairs")
    for merge in merges:
        pair = merge.split(" ") if isinstance(merge, str) else merge
        if not isinstance(pair, list) or len(pair) != 2 or not all(isinstance(token, str) for token in pair):
            raise ValueError(f"merge {merge!r:.60} is no pair")
        left, right = pair
        if left not in vocab or right not in vocab or left + right.removeprefix(prefix) not in vocab:
            raise ValueError(f"merge {merge!r:.60} is of tokens that the vocabulary lacks")


def _check_added_tokens(tokens: Any) -> None:
    if not isinstance(tokens, list):
        raise ValueError("added_tokens is no list")
    for token in tokens:
        if not isinstance(token, dict) or not _is_id(token.get("id")):
            raise ValueError(f"added token {token!r:.60} has no id")
        if not isinstance(token.get("content"), str) or not token["content"]:
            raise ValueError(f"added token {token['id']} has no content")


def _components(value: Any) -> Iterator[dict[str, Any]]:
    """Every object inside a normalizer, pre-tokenizer or decoder."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _components(inner)


def _check_component(component: dict[str, Any]) -> None:
    kind = component.get("type")
    if kind == "FixedLength" and not component.get("length"):
        raise ValueError("a pre-tokenizer cuts pieces of no length")
    if kind == "Strip" and component.get("start") and component.get("stop"):
        raise ValueError("a decoder strips tokens from both ends")
    if kind == "Precompiled":
        try:
            base64.b64decode(component.get("precompiled_charsmap") or "", validate=True)
        except (binascii.Error, TypeError, ValueError):
            raise ValueError("the normalizer's character map is damaged") from None
