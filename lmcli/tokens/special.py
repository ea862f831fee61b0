"""The special tokens of a tokenizer trained here. They stand for no text; text that spells them is ordinary text."""

from __future__ import annotations

END = "<|endoftext|>"
PAD = "<|pad|>"
SPECIAL = (END, PAD)

UNKNOWN = (
    "\N{REPLACEMENT CHARACTER}"  # Unicode's own sign for a character that can't be represented; not a special token
)
