"""The special tokens of a tokenizer trained here. They stand for no text; text that spells them is ordinary text."""

from __future__ import annotations

from collections.abc import Sequence

from lmcli.errors import ConfigError

END = "<|endoftext|>"
PAD = "<|pad|>"
SPECIAL = (END, PAD)

ROLES = {"cls_token": ("[CLS]", "<s>"), "sep_token": ("[SEP]", "</s>"), "mask_token": ("[MASK]", "<mask>")}
"""What stands around a text that an encoder reads and for what it has to guess: names as BERT and RoBERTa have them."""

UNKNOWN = (
    "\N{REPLACEMENT CHARACTER}"  # Unicode's own sign for a character that can't be represented; not a special token
)


def sentinel(number: int) -> str:
    """The sign for a hidden span, as T5 names it."""
    return f"<extra_id_{number}>"


def special_tokens(named: Sequence[str], reserved: int, sentinels: int = 0) -> tuple[str, ...]:
    """All special tokens in the order of their ids: end, pad, the `named` ones, then `reserved` nameless ones.

    The last are `sentinels`, in T5's order: <extra_id_0> comes at the very end.

    ConfigError for an empty name and for one that is given twice; the end and pad tokens may be named again.
    """
    added = [name for name in named if name not in SPECIAL]
    added += [f"<|reserved_{place}|>" for place in range(reserved)]
    added += [sentinel(number) for number in reversed(range(sentinels))]
    for place, name in enumerate(added):
        if not name.strip():
            raise ConfigError("tokenizer.special_tokens: a special token has no name", key="tokenizer.special_tokens")
        if name in added[:place]:
            message = f"tokenizer.special_tokens: {name} is there twice"
            raise ConfigError(message, "`reserved` adds <|reserved_0|> and so on", "tokenizer.special_tokens")
    return (*SPECIAL, *added)
