"""Pre-tokenization patterns: how a text is cut into words before a byte-level tokenizer learns or applies its pieces.

The first alternative that fits at a place takes the longest text that it can; every character belongs to some piece.
`boundary` finds places where a text may be cut without changing one piece: no alternative matches across them, and none
looks beyond them to another effect than the end of the text has. Each is proven by that reading and tested.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

DEFAULT = "qwen2"

HAN = "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003134f"
HAN_PIECE = 4
"""Characters in a piece of Chinese at most: most words have two, and idioms four.

Pieces that are cut blindly cost some compression. On 3 MB of random words of jieba's dictionary, by their frequency,
8192 tokens learned from pieces of 2, 3, 4, 6 and 8 characters take 3.43, 3.52, 3.61, 3.70 and 3.74 bytes of other such
text, from whole clauses 3.98; but then tokens are parts of several words.
"""


@dataclass(frozen=True)
class Pattern:
    name: str
    regex: str
    boundary: re.Pattern[str]
    source: str


_CONTRACTIONS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_SPACES = r"\s*[\r\n]+|\s+(?!\S)|\s+"
_SIGNS = r" ?[^\s\p{L}\p{N}]+[\r\n]*"
_OTHER_LETTERS = rf"[\p{{L}}&&[^{HAN}]]"

# A sign before a space: only white space matches white space after something else. A line end before a sign: runs of
# white space that hold a line end are cut after the last one anyway. A letter before a Chinese mark: no letter is
# joined to what follows it but letters. \S and \s are Python's, which count \x1c to \x1f as white space: fewer cuts.
_AFTER_LINE_ENDS = re.compile(r"\S(?= )|[\r\n](?=\S)|[^\W\d_](?=[，。、！？；：])")
# GPT-2 has no alternative for line ends: of "\n\n" before a letter the last one is apart, at the end of a text not.
_BEFORE_WHITE_SPACE = re.compile(r"\S(?=[ \t\r\n])|[^\W\d_](?=[，。、！？；：])")

_TABLE = (
    Pattern(
        "qwen2",
        rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}|{_SIGNS}|{_SPACES}",
        _AFTER_LINE_ENDS,
        "Qwen2 (transformers, PRETOKENIZE_REGEX of models/qwen2): digits alone, one sign before a word belongs to it",
    ),
    Pattern(
        "gpt2",
        r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+",
        _BEFORE_WHITE_SPACE,
        "GPT-2 (openai/gpt-2, encoder.py): numbers whole, a space before a word, number or sign belongs to it",
    ),
    Pattern(
        "gpt4",
        rf"{_CONTRACTIONS}|[^\r\n\p{{L}}\p{{N}}]?\p{{L}}+|\p{{N}}{{1,2}}|{_SIGNS}|{_SPACES}",
        _AFTER_LINE_ENDS,
        "cl100k_base of tiktoken with digits in groups of at most 2 instead of 3, as nanochat has them: a small "
        "vocabulary can't hold a thousand groups. No possessive quantifier: `tokenizers` reads {1,2}+ as a repetition",
    ),
    Pattern(
        "zh",
        rf"{_CONTRACTIONS}|[{HAN}]{{1,{HAN_PIECE}}}|[^\r\n\p{{L}}\p{{N}}]?{_OTHER_LETTERS}+|\p{{N}}|{_SIGNS}|{_SPACES}",
        _AFTER_LINE_ENDS,
        f"Qwen2's, with a run of Han characters cut into pieces of {HAN_PIECE} from its start on, instead of a clause "
        "being one piece; letters of other scripts keep together",
    ),
    Pattern(
        "code",
        r"[^\r\n\p{L}\p{N}]?(?:\p{Lu}+(?!\p{Ll})|\p{Lu}?[\p{L}&&[^\p{Lu}]]+)|\p{N}| ?[^\s\p{L}\p{N}]+"
        r"|\s*[\r\n]+[ \t]*|\s+(?!\S)|\s+",
        _AFTER_LINE_ENDS,
        "lmcli's own: line ends and the indentation after them in one piece; identifiers cut where the case changes "
        "(HTTP|Server|Name) and before an underscore, which begins the next piece as any sign does; digits alone",
    ),
)
PATTERNS: Mapping[str, Pattern] = {item.name: item for item in _TABLE}


def specification(regex: str) -> dict[str, Any]:
    """The pre-tokenizer of tokenizer.json that cuts by `regex` and turns bytes into printable signs."""
    return {
        "type": "Sequence",
        "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", "invert": False},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False},
        ],
    }


def pattern_of(pre_tokenizer: Any) -> Pattern | None:
    """The pattern by which this pre-tokenizer of a tokenizer.json cuts; None when it is none of ours."""
    return next((item for item, known in _specifications() if _without_offsets(pre_tokenizer) == known), None)


@functools.cache
def _specifications() -> list[tuple[Pattern, Any]]:
    """Those that are written here, and GPT-2's own spelling: ByteLevel knows that pattern by heart."""
    known = [(item, specification(item.regex)) for item in _TABLE]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
    return [(item, _without_offsets(value)) for item, value in [*known, (PATTERNS["gpt2"], byte_level)]]


def _without_offsets(value: Any) -> Any:
    """`trim_offsets` changes offsets, never ids; older files leave out `use_regex`, which was always on."""
    if isinstance(value, list):
        return [_without_offsets(item) for item in value]
    if not isinstance(value, dict):
        return value
    plain = {key: _without_offsets(item) for key, item in value.items() if key != "trim_offsets"}
    return {"use_regex": True, **plain} if value.get("type") == "ByteLevel" else plain
