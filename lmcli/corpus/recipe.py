"""The settings of `clean` with the preset filled in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from lmcli.config import decode, name_of
from lmcli.corpus.chain import Chain
from lmcli.corpus.config import CleanConfig
from lmcli.corpus.filters import FILTERS
from lmcli.corpus.presets import PRESETS, Duplicates
from lmcli.corpus.signatures import MinHash


def filters_of(config: CleanConfig) -> tuple[Any, ...]:
    """The filters of the settings, or those of the preset."""
    if config.filters:
        return config.filters
    return decode(CleanConfig, {"filters": list(PRESETS[config.preset].filters)}).filters


def duplicates_of(config: CleanConfig) -> Duplicates:
    return PRESETS[config.preset].duplicates if config.duplicates == "preset" else config.duplicates


def chain_of(config: CleanConfig, root: Path, tools: Mapping[str, Any] = MappingProxyType({})) -> Chain:
    """What documents go through; `root` is where the files that filters name lie.

    `tools` are what filters need of packages that this one can't import; they can be pickled. "perplexity": text to its
    perplexity for each token under the model that `model_of` names.
    """
    entries = filters_of(config)
    lines = PRESETS[config.preset].lines if config.duplicate_lines == "preset" else config.duplicate_lines
    near = MinHash(config.near_ngram, config.near_buckets, config.near_hashes)
    return Chain(
        filters=tuple(_equipped(entry, root, tools) for entry in entries),
        min_characters=config.min_characters,
        near=None if duplicates_of(config) == "keep" else near,
        lines=lines,
        with_language=any(name_of(FILTERS, entry) == "language" for entry in entries),
    )


def _equipped(entry: Any, root: Path, tools: Mapping[str, Any]) -> Any:
    entry = entry.rooted(root) if hasattr(entry, "rooted") else entry
    return entry.bound(tools) if hasattr(entry, "bound") else entry


def model_of(config: CleanConfig) -> str | None:
    """The model that a filter judges by, as lmcli.toml names it; None without such a filter."""
    found = [entry.model for entry in filters_of(config) if name_of(FILTERS, entry) == "quality.perplexity"]
    return found[0] if found else None


def filter_files(config: CleanConfig) -> tuple[str, ...]:
    """The files that filters read, as lmcli.toml names them."""
    return tuple(name for entry in filters_of(config) for name in getattr(entry, "inputs", ()))
