"""A prompt for what stands between two texts, as fill-in-the-middle training lays them out (Bavarian et al., 2022)."""

from __future__ import annotations

from collections.abc import Sequence

from lmcli.errors import ConfigError
from lmcli.objectives.middle import SIGNS
from lmcli.tokens.tokenizer import Tokenizer


def around(tokenizer: Tokenizer, before: str, after: str, room: int) -> list[int]:
    """The ids of PREFIX before SUFFIX after MIDDLE, `room` of them at most; the middle is what comes next.

    Where there is too much, the left of `before` and the right of `after` go, down to half of the room each.
    Raises ConfigError when the tokenizer lacks one of the three signs.
    """
    prefix, suffix, middle = (_sign(tokenizer, names) for names in SIGNS)
    left, right = tokenizer.encode(before), tokenizer.encode(after)
    free = max(2, room - 3)
    right = right[: max(free - len(left), free // 2)]
    left = left[max(0, len(left) + len(right) - free) :]
    return [prefix, *left, suffix, *right, middle]


def _sign(tokenizer: Tokenizer, names: Sequence[str]) -> int:
    known = tokenizer.backend.get_vocab(with_added_tokens=True)
    found = next((known[name] for name in names if name in known), None)
    if found is None:
        hint = "train a model with holes: docs/objectives.md, fill in the middle"
        raise ConfigError(f"generate.suffix needs the special token {names[0]}, and the tokenizer has none", hint)
    return found
