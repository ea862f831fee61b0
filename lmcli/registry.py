"""Names that users write, and the code behind them, imported only when it is used."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from lmcli.errors import ConfigError, did_you_mean


class Registry(Mapping[str, str]):
    """Name -> "module:attribute". Listing the names costs nothing; `load` imports the module.

    >>> METRICS = Registry("metric", {"bleu": "lmcli.evaluation.metrics.bleu:Bleu"})
    >>> Bleu = METRICS.load("bleu")
    """

    def __init__(self, what: str, entries: Mapping[str, str]) -> None:
        self.what = what
        self._entries = dict(entries)

    def __getitem__(self, name: str) -> str:
        return self._entries[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def load(self, name: str) -> Any:
        """The registered object; an unknown name is a ConfigError that names the nearest one."""
        if name not in self._entries:
            hint = did_you_mean(name, self._entries) or f"known: {', '.join(self._entries)}"
            raise ConfigError(f"unknown {self.what} {name!r}", hint)
        module, _, attribute = self._entries[name].partition(":")
        return getattr(importlib.import_module(module), attribute)
