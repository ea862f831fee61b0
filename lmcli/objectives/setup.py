"""What objectives are built from, beside their own settings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from lmcli.errors import ConfigError
from lmcli.tokens.special import ROLES, sentinel

if TYPE_CHECKING:
    from lmcli.models.model import Kind
    from lmcli.tokens.tokenizer import Tokenizer


@dataclass(frozen=True)
class Setup:
    """`directory` holds the tokenizer; it is read when an objective asks for more than `end_id`."""

    end_id: int
    label_smoothing: float = 0.0
    directory: Path | None = None
    kind: Kind = "decoder"
    """Of the model that is to be trained."""

    @cached_property
    def tokenizer(self) -> Tokenizer:
        from lmcli.tokens.tokenizer import Tokenizer

        assert self.directory is not None
        return Tokenizer.load(self.directory)

    @property
    def start_id(self) -> int:
        """What targets of an encoder-decoder begin with, and what rows are filled up with."""
        return self.tokenizer.pad_id if self.directory else self.end_id

    @cached_property
    def _known(self) -> dict[str, int]:
        return self.tokenizer.backend.get_vocab(with_added_tokens=True)

    def sentinels(self, what: str) -> npt.NDArray[np.int64]:
        """The ids of <extra_id_0>, <extra_id_1>, ...; ConfigError when the tokenizer has none."""
        found: list[int] = []
        while (token := sentinel(len(found))) in self._known:
            found.append(self._known[token])
        if not found:
            line = "write `sentinels = 100` under [tokenizer] in lmcli.toml, then `lmcli tokenize --retrain`"
            raise ConfigError(f"{what} needs sentinels such as {sentinel(0)}, and the tokenizer has none", line)
        return np.array(found, dtype=np.int64)

    def specials(self, tokens: Sequence[Sequence[str]], what: str) -> list[int]:
        """The ids of special tokens that are all needed, of each the first of its names that the tokenizer has.

        Raises ConfigError when it lacks one.
        """
        found = [next((self._known[name] for name in names if name in self._known), None) for names in tokens]
        missing = [names[0] for names, token in zip(tokens, found, strict=True) if token is None]
        if missing:
            message = f"{what} needs the special tokens {', '.join(missing)}, and the tokenizer has none"
            line = f"special_tokens = {json.dumps([names[0] for names in tokens])}"
            hint = f"write `{line}` under [tokenizer] in lmcli.toml, then `lmcli tokenize --retrain`"
            raise ConfigError(message, hint)
        return [token for token in found if token is not None]

    def role(self, role: str, what: str) -> int:
        """The id of the token for a role (`tokens.special.ROLES`). Raises ConfigError when the tokenizer has none."""
        found = self.tokenizer.roles.get(role)
        if found is not None:
            return found
        needed = [names[0] for names in ROLES.values()]
        message = f"{what} needs a special token {' or '.join(ROLES[role])}, and the tokenizer has none"
        line = f"special_tokens = {json.dumps(needed)}"
        raise ConfigError(message, f"write `{line}` under [tokenizer] in lmcli.toml, then `lmcli tokenize --retrain`")
