"""Ready-made settings of `clean`, by what the text is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lmcli.errors import ConfigError

Duplicates = Literal["near", "exact", "keep"]

_REPAIR = ("unicode", "html", "whitespace")


@dataclass(frozen=True)
class Preset:
    """`filters` as lmcli.toml would list them; `lines` is the length from which repeated lines go, 0 for never."""

    filters: tuple[str | Mapping[str, Any], ...] = ()
    duplicates: Duplicates = "near"
    lines: int = 0


PRESETS: Mapping[str, Preset] = {
    "light": Preset(_REPAIR, "exact"),
    "web": Preset(
        (
            "unicode",
            {"name": "html", "mode": "article"},
            "symbols",
            "boilerplate",
            "whitespace",
            "quality.gopher",
            "quality.repetition",
            "quality.c4",
            "quality.fineweb",
            "pii",
        ),
        lines=50,
    ),
    "code": Preset(
        (
            "unicode",
            {"name": "whitespace", "blank_lines": 2},
            {"name": "quality.length", "min_characters": 50, "max_characters": 1_000_000},
            "pii",
        )
    ),
    "zh": Preset((*_REPAIR, "symbols", "boilerplate", "quality.gopher", "quality.repetition", "pii")),
    "none": Preset(duplicates="keep"),
}


def expanded(listed: Sequence[Any]) -> list[Any]:
    """The list with each preset's name replaced by its filters.

    A filter that is listed after a preset which has it takes its place there: ["web", {name = "quality.gopher",
    min_words = 20}] is the preset with another threshold. Raises ConfigError for a list that comes to nothing, which
    would be taken for one that isn't given.
    """
    filters: list[Any] = []
    for item in listed:
        if isinstance(item, str) and item in PRESETS:
            filters += PRESETS[item].filters
        else:
            _place(filters, item)
    if listed and not filters:
        raise ConfigError('filters = ["none"] lists no filter', 'write preset = "none"', "clean.filters")
    return filters


def _place(filters: list[Any], entry: Any) -> None:
    names = [_name(item) for item in filters]
    if _name(entry) in names:
        filters[names.index(_name(entry))] = entry
    else:
        filters.append(entry)


def _name(entry: Any) -> Any:
    return entry.get("name") if isinstance(entry, Mapping) else entry
