"""Prints docs/filters.md: every filter of `clean` with its settings, and the presets, as the program has them."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator

from lmcli import config
from lmcli.corpus.filters import FILTERS
from lmcli.corpus.presets import PRESETS


def page() -> str:
    head = [
        "# Filters",
        "Made by `make docs` from the program itself. How filters are put together: [corpus.md](corpus.md).",
        "## Presets",
        "\n".join(presets()),
    ]
    return "\n\n".join([*head, *(section(name) for name in sorted(FILTERS))]) + "\n"


def presets() -> Iterator[str]:
    yield "| preset | filters, in order | duplicates | repeated lines |"
    yield "|---|---|---|---|"
    for name, preset in PRESETS.items():
        filters = ", ".join(shown(item) for item in preset.filters) or "none"
        lines = f"from {preset.lines} characters" if preset.lines else "stay"
        yield f"| `{name}` | {filters} | {preset.duplicates} | {lines} |"


def shown(item: object) -> str:
    if isinstance(item, str):
        return f"`{item}`"
    assert isinstance(item, dict)
    settings = ", ".join(f"{key} = {json.dumps(value)}" for key, value in item.items() if key != "name")
    return f"`{item['name']}` ({settings})"


def section(name: str) -> str:
    entry = FILTERS.load(name)
    parts = [f"## {name}", inspect.getdoc(entry) or ""]
    if rows := list(settings(entry)):
        parts.append("\n".join(["| setting | default | |", "|---|---|---|", *rows]))
    return "\n\n".join(parts)


def settings(entry: type) -> Iterator[str]:
    for name, field in config.fields(entry).items():
        default = list(field.default) if isinstance(field.default, tuple) else field.default
        yield f"| `{name}` | `{json.dumps(default, ensure_ascii=False)}` | {field.help} |"


if __name__ == "__main__":
    print(page(), end="")  # noqa: T201
