"""Where a text may be cut before it is encoded, for every kind of tokenizer that can be trained here."""

from __future__ import annotations

import re
from typing import Any

from lmcli.tokens.patterns import pattern_of


def boundary_of(document: dict[str, Any]) -> re.Pattern[str] | None:
    """What matches just before places where a cut changes no token, or None where none is known.

    Ordinary tokens that were added to a vocabulary are looked for before anything else: a text is cut only where none
    of them reaches across.
    """
    if document["model"].get("type") == "WordPiece":
        found = _wordpiece(document)
    elif document.get("normalizer"):
        found = None
    else:
        pattern = pattern_of(document.get("pre_tokenizer"))
        found = pattern.boundary if pattern else _words(document.get("pre_tokenizer"))
    added = [token for token in document.get("added_tokens") or [] if not token.get("special")]
    return found if found and not any(_reaches_across(found, token) for token in added) else None


def _wordpiece(document: dict[str, Any]) -> re.Pattern[str] | None:
    from lmcli.tokens.kinds.wordpiece import BOUNDARY

    normalizer, cut = document.get("normalizer") or {}, document.get("pre_tokenizer") or {}
    usual = normalizer.get("type") == cut.get("type", "")[:4] + "Normalizer" == "BertNormalizer"
    chinese = normalizer.get("handle_chinese_chars") and normalizer.get("clean_text")
    return BOUNDARY if usual and cut.get("type") == "BertPreTokenizer" and chinese else None


def _words(pre_tokenizer: Any) -> re.Pattern[str] | None:
    from lmcli.tokens.kinds.word import BOUNDARY, PATTERN

    words = {"type": "Split", "pattern": {"Regex": PATTERN}, "behavior": "Isolated", "invert": False}
    return BOUNDARY if pre_tokenizer == words else None


def _reaches_across(boundary: re.Pattern[str], token: dict[str, Any]) -> bool:
    """Whether a cut could fall into the token, or take from it what lies beside it."""
    content = token["content"]
    beside = token.get("lstrip") or token.get("rstrip") or token.get("single_word")
    inside = range(2, len(content) + 1)  # of what follows: what stands before and after helps to decide
    cuts = (found.end() for after in " x" for found in boundary.finditer(f"x{content}{after}"))
    return bool(beside) or any(place in inside for place in cuts)
