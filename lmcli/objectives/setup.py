"""What objectives are built from, beside their own settings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from lmcli.errors import ConfigError
from lmcli.tokens.special import ROLES

if TYPE_CHECKING:
    from lmcli.tokens.tokenizer import Tokenizer


@dataclass(frozen=True)
class Setup:
    """`directory` holds the tokenizer; it is read when an objective asks for more than `end_id`."""

    end_id: int
    label_smoothing: float = 0.0
    directory: Path | None = None

    @cached_property
    def tokenizer(self) -> Tokenizer:
        from lmcli.tokens.tokenizer import Tokenizer

        assert self.directory is not None
        return Tokenizer.load(self.directory)

    def special(self, names: Sequence[str], what: str) -> int:
        """The id of the first of these special tokens that the tokenizer has.

        Raises ConfigError when it has none of them.
        """
        known = self.tokenizer.backend.get_vocab(with_added_tokens=True)
        found = next((known[name] for name in names if name in known), None)
        if found is None:
            hint = f'set special_tokens = ["{names[0]}", ...] under [tokenizer], then `lmcli tokenize --retrain`'
            raise ConfigError(f"{what} needs a special token {' or '.join(names)}, and the tokenizer has none", hint)
        return found

    def role(self, role: str, what: str) -> int:
        """The id of the token for a role (`tokens.special.ROLES`). Raises ConfigError when the tokenizer has none."""
        found = self.tokenizer.roles.get(role)
        if found is not None:
            return found
        needed = [names[0] for names in ROLES.values()]
        message = f"{what} needs a special token {' or '.join(ROLES[role])}, and the tokenizer has none"
        line = f"special_tokens = {json.dumps(needed)}"
        raise ConfigError(message, f"write `{line}` under [tokenizer] in lmcli.toml, then `lmcli tokenize --retrain`")
